//! docs/json.md shows every shape as a TypeScript type, made from the types that the commands print.

use std::fmt::Write;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use ccf_gov::check::Check;
use ccf_gov::evidence::layers::Layer;
use ccf_gov::evidence::layers::image::Image;
use ccf_gov::review::NodeDetails;
use ccf_gov::review::report::Review;
use ccf_gov::review::simulate::Told;
use ccf_gov::service::Proposal;

use super::commands::{
    ballot, constitution, inspect, keys, measure, member, node, policy, proposal, sandbox, service, state, submit,
    upgrade, verify,
};
use super::object::Read;
use super::{envelopes, guard, sign_and_submit};

/// Each command whose result has a shape of its own.
fn shapes() -> Vec<(&'static str, String)> {
    vec![
        ("Taken", format!("type Taken = {}", shape::<sign_and_submit::Taken>())),
        ("Guarded", format!("type Guarded = {}", shape::<guard::Guarded>())),
        ("proposal submit", "Proposal & Taken & Guarded".into()),
        ("submit", format!("(Proposal | {} | object) & Taken & Guarded", shape::<sign_and_submit::NotHeld>())),
        (
            "submit of several",
            format!("{{ submitted: ((Proposal | object) & Taken & Guarded & {})[] }}", shape::<submit::OneOf>()),
        ),
        ("sign", format!("{} & Guarded", shape::<envelopes::Signed>())),
        ("sign of several", shape::<envelopes::SignedBatch>()),
        ("inspect", shape::<inspect::Inspected>()),
        ("Check", format!("type Check = {}", shape::<Check>())),
        ("Layer", format!("type Layer = {}", shape::<Layer>())),
        ("Image", format!("type Image = {}", shape::<Image>())),
        ("keys generate", shape::<keys::generate::Generated>()),
        ("keys show", shape::<keys::show::Shown>()),
        ("keys list", shape::<keys::list::Listed>()),
        ("measure virtual", shape::<measure::virt::Measured>()),
        ("measure sgx", shape::<measure::sgx::Measured>()),
        ("measure snp", shape::<measure::snp::Measured>()),
        ("Proposal", format!("type Proposal = {}", shape::<Proposal>())),
        ("Read", format!("type Read = {}", shape::<Read>())),
        ("Vote", format!("type Vote = {}", shape::<proposal::votes::Line>())),
        ("ballot show", shape::<ballot::show::Shown>()),
        ("ballot test", shape::<ballot::test::Tested>()),
        ("Node", format!("type Node = object & {}", shape::<NodeDetails>())),
        ("proposal show", format!("Proposal & {{ actions: object[] }} & {}", shape::<proposal::show::More>())),
        (
            "proposal wait",
            format!(
                "Proposal & {{ transactionId: string }} & {} | {}",
                shape::<proposal::wait::StillOpen>(),
                shape::<proposal::wait::Purged>()
            ),
        ),
        ("proposal list", format!("Read & {{ value: (Proposal & {})[] }}", shape::<proposal::list::More>())),
        (
            "proposal watch",
            format!("Proposal & {} | {}", shape::<proposal::watch::Told>(), shape::<proposal::watch::Reached>()),
        ),
        ("member list", format!("Read & {{ value: (object & {})[] }}", shape::<member::list::More>())),
        ("member activate", shape::<member::activate::Activated>()),
        ("node list", "Read & { value: Node[] }".into()),
        ("node show", "Read & Node".into()),
        ("node wait", format!("Read & Node | {}", shape::<node::wait::Gone>())),
        ("node trust", format!("{} & (Proposal & Taken & Guarded | object)", shape::<node::trust::Outcome>())),
        ("node can-stop", shape::<node::can_stop::Answer>()),
        ("node delete", shape::<node::delete::Deleted>()),
        ("service info", format!("object & {}", shape::<service::Info>())),
        ("service join-policy", "object & Read".into()),
        ("service constitution", shape::<service::Constitution>()),
        ("service app", format!("{} | {}", shape::<service::app::Shown>(), shape::<service::app::Source>())),
        ("service wait", shape::<service::wait::Waited>()),
        ("measure layers", shape::<measure::layers::Measured>()),
        ("proposal lint", shape::<proposal::lint::Linted>()),
        ("proposal review", shape::<Review>()),
        ("verify attestation", shape::<verify::attestation::Verified>()),
        ("verify node", shape::<verify::node::Unverified>()),
        ("verify proposal", shape::<verify::proposal::Verified>()),
        ("verify service", shape::<verify::service::Verified>()),
        ("policy show", shape::<policy::Shown>()),
        ("proposal templates", shape::<proposal::templates::Listed>()),
        ("Simulation", format!("type Simulation = {}", shape::<Told>())),
        ("simulate", "Simulation | { simulations: Simulation[] }".into()),
        ("constitution check", shape::<constitution::check::Checked>()),
        ("state export", shape::<state::export::Exported>()),
        ("sandbox serve", shape::<sandbox::Serving>()),
        ("upgrade plan", shape::<upgrade::plan::Foretold>()),
        ("upgrade step", shape::<upgrade::step::Taken>()),
        ("upgrade status", shape::<upgrade::status::Standing>()),
        ("upgrade report", shape::<upgrade::report::Reported>()),
        ("upgrade rehearse", shape::<upgrade::rehearse::Rehearsed>()),
    ]
}

/// The types that several commands share, and docs/json.md shows once.
const SHARED: [&str; 6] = ["Check", "Layer", "Image", "Proposal", "Vote", "Simulation"];

/// The documentation stands in the middle of prose; only what lies between these is made from the types.
fn opening(command: &str) -> String {
    format!("<!-- shape of: {command} -->\n```ts\n")
}

const CLOSING: &str = "\n```\n";
/// Set, to write the shapes into the documentation.
const UPDATE: &str = "CCF_GOV_UPDATE_DOCS";
/// How long a line may be.
const WIDTH: usize = 100;

#[test]
fn json_md_shows_what_the_commands_print() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md");
    let written = std::fs::read_to_string(path).unwrap();
    let mut right = written.clone();
    for (command, shape) in shapes() {
        let opening = opening(command);
        let start =
            right.find(&opening).unwrap_or_else(|| panic!("docs/json.md lacks the shape of {command}")) + opening.len();
        let end = start - 1 + right[start - 1..].find(CLOSING).expect("the block ends");
        right.replace_range(start..end.max(start), &shape);
    }
    assert_eq!(written.matches("<!-- shape of: ").count(), shapes().len(), "a shape of no command");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(path, right).unwrap();
    } else {
        assert!(written == right, "docs/json.md is stale: set {UPDATE}=1 to write it anew, and read the difference");
    }
}

#[test]
fn null_and_absent_are_told_apart() {
    #[derive(serde::Serialize, JsonSchema)]
    struct Example {
        /// Always there.
        text: String,
        nullable: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<bool>,
        list: Vec<(String, bool)>,
    }
    let expected = "{\n  text: string,  // Always there.\n  nullable: number | null,\n  absent?: boolean,\n  \
                    list: [string, boolean][],\n}";
    assert_eq!(shape::<Example>(), expected);
}

/// A type as TypeScript writes it, as it is serialized.
fn shape<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let schema = schema.to_value();
    let definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    Writer { definitions }.of(&schema, 0)
}

struct Writer {
    definitions: Map<String, Value>,
}

impl Writer {
    fn of(&self, schema: &Value, indent: usize) -> String {
        let Some(schema) = schema.as_object() else { return "unknown".into() };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.trim_start_matches("#/$defs/");
            return if SHARED.contains(&name) { name.into() } else { self.of(&self.definitions[name], indent) };
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(variants) = schema.get(key).and_then(Value::as_array) {
                let variants = union(variants.iter().map(|v| self.of(v, indent)));
                return match schema.contains_key("properties") {
                    true => format!("{} & ({variants})", self.object(schema, indent)),
                    false => variants,
                };
            }
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return union(values.iter().map(Value::to_string));
        }
        match schema.get("type") {
            Some(Value::Array(types)) => {
                let each = types.iter().filter_map(Value::as_str).map(|t| self.single(t, schema, indent));
                union(each)
            }
            Some(Value::String(name)) => self.single(name, schema, indent),
            _ => "unknown".into(),
        }
    }

    fn single(&self, name: &str, schema: &Map<String, Value>, indent: usize) -> String {
        match name {
            "array" => match schema.get("prefixItems").and_then(Value::as_array) {
                Some(items) => {
                    format!("[{}]", items.iter().map(|i| self.of(i, indent)).collect::<Vec<_>>().join(", "))
                }
                None => match self.of(schema.get("items").unwrap_or(&Value::Null), indent) {
                    item if is_one(&item) => format!("{item}[]"),
                    item => format!("({item})[]"),
                },
            },
            "object" => self.object(schema, indent),
            "integer" => "number".into(),
            other => other.into(),
        }
    }

    fn object(&self, schema: &Map<String, Value>, indent: usize) -> String {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return match schema.get("additionalProperties") {
                Some(value @ Value::Object(_)) => format!("Record<string, {}>", self.of(value, indent)),
                _ => "object".into(),
            };
        };
        let required =
            |name: &str| schema.get("required").and_then(Value::as_array).is_some_and(|r| r.iter().any(|n| n == name));
        let members: Vec<(String, &str)> = properties
            .iter()
            .map(|(name, schema)| {
                let kind = self.of(schema, indent + 2);
                let member = match required(name) {
                    true => format!("{name}: {kind}"),
                    false => format!("{name}?: {}", kind.strip_suffix(" | null").unwrap_or(&kind)),
                };
                (member, schema.get("description").and_then(Value::as_str).unwrap_or_default())
            })
            .collect();
        let short = members.iter().map(|(member, _)| member.as_str()).collect::<Vec<_>>().join(", ");
        let said = members.iter().any(|(_, description)| !description.is_empty());
        if !said && !short.contains('\n') && indent + short.len() < WIDTH {
            return format!("{{ {short} }}");
        }
        let mut text = String::from("{\n");
        for (member, description) in members {
            let remark = description
                .split("\n\n")
                .next()
                .unwrap_or_default()
                .replace('\n', " ")
                .replace("[`Self::", "`")
                .replace("`]", "`");
            let _ = match member.split_once('\n') {
                _ if remark.is_empty() => writeln!(text, "{:indent$}  {member},", ""),
                None => writeln!(text, "{:indent$}  {member},  // {remark}", ""),
                Some((first, rest)) => writeln!(text, "{:indent$}  {first}  // {remark}\n{rest},", ""),
            };
        }
        text + &format!("{:indent$}}}", "")
    }
}

/// Whether a type needs no brackets: it has no `|` or `&` outside of its own braces.
fn is_one(text: &str) -> bool {
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '{' | '[' | '<' => depth += 1,
            '}' | ']' | '>' => depth = depth.saturating_sub(1),
            '|' | '&' if depth == 0 => return false,
            _ => {}
        }
    }
    true
}

/// The alternatives, `null` last.
fn union(alternatives: impl Iterator<Item = String>) -> String {
    let (null, mut each): (Vec<_>, Vec<_>) = alternatives.partition(|a| a == "null");
    each.extend(null);
    each.dedup();
    each.join(" | ")
}
