//! The house: docs/architecture.md lists the stations in order, each imports only those above it, and the table says which.
//!
//! `CCF_GOV_UPDATE_DOCS=1` writes the table's last column anew; the order and the texts are a person's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DOCS: &str = "docs/architecture.md";

/// The public modules that are still files.
const FILES: [&str; 2] = ["src/proposal/ballot", "src/upgrade/quorum"];

#[test]
fn a_station_imports_only_what_stands_above_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|station| station == name);
    let mut back = Vec::new();
    for (file, imports) in imports() {
        let from = place(&station(&file));
        assert!(from.is_some(), "{} belongs to no station of {DOCS}", file.display());
        for import in imports {
            assert!(place(&import).is_some(), "{} imports {import}, which {DOCS} does not list", file.display());
            if place(&import) > from {
                back.push(format!("{} imports {import}, which stands below it", file.display()));
            }
        }
    }
    assert!(back.is_empty(), "{}", back.join("\n"));
}

#[test]
fn the_table_says_what_each_station_imports() {
    let order = order();
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, imports) in imports() {
        known.entry(station(&file)).or_default().extend(imports);
    }
    let words = names(&rows(&docs())[0]);
    let text = docs();
    let mut written = text.clone();
    for row in rows(&text).iter().skip(1) {
        let [name] = &names(row)[..] else { panic!("one station a row: {row}") };
        let imports = known.get(name).cloned().unwrap_or_default();
        let mut cells: Vec<String> = Vec::new();
        if imports.iter().any(|import| words.contains(import)) {
            cells.push("words".into());
        }
        cells.extend(order.iter().filter(|s| !words.contains(s) && imports.contains(*s)).map(|s| format!("`{s}`")));
        let start = row.trim_end_matches('|').rfind('|').unwrap();
        written = written.replace(row, &format!("{}| {} |", &row[..start], cells.join(", ")));
    }
    if std::env::var_os("CCF_GOV_UPDATE_DOCS").is_some() {
        fs::write(DOCS, &written).unwrap();
    }
    assert_eq!(docs(), written, "CCF_GOV_UPDATE_DOCS=1 writes it anew");
}

#[test]
fn a_public_module_is_a_folder() {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    let mut public = Vec::new();
    for file in files.iter().filter(|file| !file.starts_with("src/cli")) {
        let inside = if file.ends_with("mod.rs") { file.with_file_name("") } else { file.with_extension("") };
        let source = fs::read_to_string(file).unwrap();
        let modules = source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        public.extend(modules.map(|name| inside.join(name)));
    }
    assert!(public.len() > 10, "only {public:?}");
    let is_file = |module: &PathBuf| !module.join("mod.rs").is_file() && !FILES.contains(&&*module.to_string_lossy());
    public.retain(is_file);
    assert!(public.is_empty(), "a file is private, and its folder's mod.rs exports what it offers: {public:?}");
}

#[test]
fn imports_are_found_in_every_spelling() {
    let source = "use crate::{cose::{Envelope, Header}, id::NodeId};\n// crate::cli\n/// [`crate::sandbox`]\nfn f() -> ccf_gov::kv::Row { super::super::service::g(\"crate::upgrade\") }\n#[cfg(test)]\nmod tests {\n    use crate::review;\n}\n";
    let found = imports_of(Path::new("src/evidence/snp/mod.rs"), source);
    // From evidence/snp/mod.rs, two levels up is the crate.
    let expected = ["cose", "id", "kv", "service"].map(String::from);
    assert_eq!(found, BTreeSet::from(expected));
    assert_eq!(
        imports_of(Path::new("src/cose/form.rs"), "use super::sign1::f;\nuse super::super::id;"),
        BTreeSet::from(["id".into()])
    );
}

fn docs() -> String {
    fs::read_to_string(DOCS).unwrap()
}

/// The rows of the table of stations.
fn rows(text: &str) -> Vec<String> {
    let table = text.lines().skip_while(|line| !line.starts_with("| station |")).skip(2);
    table.take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

/// The stations that a row names in its first cell.
fn names(row: &str) -> Vec<String> {
    let cell = row.split('|').nth(1).unwrap();
    cell.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/').trim_end_matches(".rs").into()).collect()
}

/// Every station in order.
fn order() -> Vec<String> {
    let order: Vec<String> = rows(&docs()).iter().flat_map(|row| names(row)).collect();
    assert!(order.len() > 10, "{DOCS} has no table of stations");
    order
}

/// Each source file with the other stations that it imports; tests are not looked at.
fn imports() -> Vec<(PathBuf, BTreeSet<String>)> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    assert!(files.len() > 100);
    let read = |file: PathBuf| {
        let found = imports_of(&file, &fs::read_to_string(&file).unwrap());
        (file, found)
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match () {
            () if path.is_dir() && name != "tests" => collect(&path, files),
            () if name.ends_with(".rs") && !["lib.rs", "main.rs"].contains(&&*name) && !name.contains("tests") => {
                files.push(path);
            }
            () => {}
        }
    }
}

/// The station that a file belongs to.
fn station(file: &Path) -> String {
    let name = file.iter().nth(1).unwrap().to_string_lossy();
    name.trim_end_matches(".rs").into()
}

/// The stations, other than its own, that the code of a file names: after `crate::` or `ccf_gov::`, in a list of these, or
/// by as many `super::` as lead out of its own.
fn imports_of(file: &Path, source: &str) -> BTreeSet<String> {
    let code = code(source);
    // src/a/b.rs and src/a/b/mod.rs are two levels below the crate.
    let is_mod = file.file_name().unwrap() == "mod.rs";
    let depth = file.iter().count() - 1 - usize::from(is_mod);
    let up = "super::".repeat(depth);
    let mut found = BTreeSet::new();
    for root in ["crate::", "ccf_gov::", &up] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(list) => found.extend(firsts(list)),
                None => found.extend([identifier(rest)]),
            }
        }
    }
    found.remove(&station(file));
    // What the crate itself exports, macros and items, is no station.
    found.into_iter().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first name of each path in a list that was opened before `list`.
fn firsts(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = Vec::new();
    let mut begins = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && c.is_alphabetic() => {
                found.push(identifier(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

/// A file's code: without comments and texts, and without the tests at its end.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut code = String::new();
    for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let mut inside = false;
        let mut escaped = false;
        for c in line.chars() {
            match c {
                '"' if !escaped => inside = !inside,
                c if !inside => code.push(c),
                _ => {}
            }
            escaped = c == '\\' && !escaped;
        }
        code.push('\n');
    }
    code
}
