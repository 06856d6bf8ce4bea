//! Archives of images, made here.

use std::io::{Cursor, Write};

use serde_json::json;

use super::super::measure;
use super::super::tests::{Archive, file, link};
use super::*;
use crate::digest::sha256;

/// A layer with one file.
pub fn layer(name: &str) -> Vec<u8> {
    Archive::default().add(file(name, b"data")).end()
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ["/node"], "Cmd": ["--start"], "Env": ["A=1"], "WorkingDir": "", "User": "1000"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    config.to_string().into_bytes()
}

fn read(archive: Vec<u8>) -> Result<Option<Vec<Image>>, ImageError> {
    Ok(images(&mut Cursor::new(archive))?.map(|found| found.images))
}

fn refusal(archive: Vec<u8>) -> String {
    read(archive).unwrap_err().to_string()
}

/// As old versions of Docker save an image: its second layer is a link to the first.
fn docker(layer: &[u8], config: &[u8]) -> Vec<u8> {
    let config_name = format!("{}.json", hex(config));
    let manifest = json!([{"Config": config_name, "RepoTags": ["node:1", "node:latest"],
        "Layers": ["one/layer.tar", "two/layer.tar"]}]);
    Archive::default()
        .add(file("one/layer.tar", layer))
        .add(link(b'2', "two/layer.tar", "../one/layer.tar"))
        .add(file(&config_name, config))
        .add(file("manifest.json", manifest.to_string().as_bytes()))
        .end()
}

#[test]
fn docker_saves_an_image() {
    let layer = layer("a");
    let config = config(&[&layer, &layer]);
    let images = read(docker(&layer, &config)).unwrap().unwrap();
    let [image] = &images[..] else { panic!("{images:?}") };
    assert_eq!((image.title().as_str(), image.names.len()), ("node:1", 2));
    assert_eq!(image.id.0, sha256(&config));
    assert_eq!(image.command_line(), ["/node", "--start"]);
    assert_eq!((image.environment[0].as_str(), image.working_dir.as_str(), image.user.as_str()), ("A=1", "/", "1000"));
    let measured = measure(&layer[..]).unwrap();
    assert_eq!(image.layers, [measured.clone(), measured]);
}

#[test]
fn what_is_not_the_image_it_claims_to_be_is_refused() {
    let (one, other) = (layer("a"), layer("b"));
    let good = config(&[&one, &one]);
    let says = refusal(docker(&other, &good));
    let (one_hex, other_hex) = (hex(&one), hex(&other));
    assert_eq!(
        says,
        format!("one/layer.tar is another file than it should be: its SHA-256 is {other_hex}, and {one_hex} is wanted")
    );
    let name = format!("{}.json", hex(&good));
    assert_eq!(
        refusal(docker(&one, &config(&[&one]))),
        format!("{}.json: it has 2 layers, and its configuration 1", hex(&config(&[&one])))
    );
    let manifest = json!([{"Config": name, "RepoTags": null, "Layers": ["one"]}]).to_string();
    let archive = || Archive::default().add(file("manifest.json", manifest.as_bytes()));
    assert_eq!(
        refusal(archive().end()),
        format!("the archive has no {name}: save the image anew, with all of its layers")
    );
    assert!(matches!(read(archive().add(file(&name, b"{}")).end()), Err(ImageError::Digest { .. })));
    let twice = archive().add(file(&name, b"{}")).add(file("x/../manifest.json", manifest.as_bytes())).end();
    assert_eq!(refusal(twice), "manifest.json: it appears twice in the archive");
    let empty = Archive::default().add(file("manifest.json", b"[]")).end();
    assert_eq!(refusal(empty), "the archive: it has 0 images");
    let loops = Archive::default().add(file("manifest.json", manifest.as_bytes())).add(link(b'2', &name, &name)).end();
    assert!(matches!(read(loops), Err(ImageError::Missing(_))));
}

#[test]
fn what_holds_no_images_may_be_a_layer() {
    for archive in [
        layer("a"),
        Archive::default().add(file("manifest.json", b"{\"name\": \"an application's own\"}")).end(),
        Archive::default().add(file("manifest.json", b"no JSON")).end(),
        Archive::default().add(file("index.json", b"{}")).end(),
        gzip(&layer("a")),
        b"no archive".to_vec(),
        Vec::new(),
    ] {
        assert_eq!(read(archive).unwrap(), None);
    }
}

/// An OCI layout of two platforms, with an attestation; the layer is compressed.
fn oci(blobs: &[&[u8]], manifests: &serde_json::Value) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
    let archive = Archive::default().add(file("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}"));
    let archive = archive.add(file("index.json", index.as_bytes()));
    blobs.iter().fold(archive, |archive, blob| archive.add(file(&format!("blobs/sha256/{}", hex(blob)), blob))).end()
}

#[test]
fn an_index_leads_to_the_image_for_amd64() {
    let layer = layer("a");
    let packed = gzip(&layer);
    let config = config(&[&layer]);
    let digest = |blob: &[u8]| format!("sha256:{}", hex(blob));
    let manifest = json!({"config": {"digest": digest(&config)}, "layers": [{"digest": digest(&packed)}]}).to_string();
    let platform = |architecture: &str, blob: &[u8]| json!({"digest": digest(blob), "platform": {"os": "linux", "architecture": architecture}});
    let inner = json!({"manifests": [
        platform("arm64", b"not in the archive"),
        platform("amd64", manifest.as_bytes()),
        {"digest": digest(b"attestation"), "platform": {"os": "unknown", "architecture": "unknown"}},
    ]})
    .to_string();
    let named = json!([{"digest": digest(inner.as_bytes()), "annotations": {"io.containerd.image.name": "example.org/node:1"}}]);
    let blobs = [&packed[..], &config, manifest.as_bytes(), inner.as_bytes()];
    let images = read(oci(&blobs, &named)).unwrap().unwrap();
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].names, ["example.org/node:1"]);
    assert_eq!(images[0].layers[0].hash, measure(&layer[..]).unwrap().hash);
    assert_eq!(images[0].layers[0].digest.0, sha256(&packed));

    // A blob under another's digest.
    let mut swapped = oci(&blobs, &named);
    let at = swapped.windows(manifest.len()).position(|w| w == manifest.as_bytes()).unwrap();
    swapped[at + manifest.len() - 1] = b' ';
    assert!(matches!(read(swapped), Err(ImageError::Digest { .. })));

    assert_eq!(
        refusal(oci(&[], &json!([platform("arm64", b"x"), platform("s390x", b"y")]))),
        format!(
            "index.json: no image for linux/amd64, but an image for linux/arm64 ({}), an image for linux/s390x ({})",
            digest(b"x"),
            digest(b"y")
        )
    );
    assert_eq!(
        refusal(oci(&[], &json!([{"digest": "sha512:00"}]))),
        "index.json: \"sha512:00\" is not sha256: and 64 lowercase hexadecimal digits"
    );
    let own = json!({"manifests": [{"digest": digest(b"{\"manifests\": []}")}]}).to_string();
    assert_eq!(
        refusal(oci(&[b"{\"manifests\": []}", own.as_bytes()], &json!([{"digest": digest(own.as_bytes())}]))),
        "the archive: it has 0 images"
    );
}

#[test]
fn a_windows_image_is_refused() {
    let config = json!({"os": "windows", "rootfs": {"diff_ids": []}}).to_string();
    let manifest = json!([{"Config": "c", "Layers": []}]).to_string();
    let archive =
        Archive::default().add(file("manifest.json", manifest.as_bytes())).add(file("c", config.as_bytes())).end();
    assert_eq!(refusal(archive), "c: the image is for windows, and layers are measured thus for Linux only");
}

/// A layout of an image and of manifests beside it; what was passed over.
fn beside(manifests: &[serde_json::Value]) -> Vec<String> {
    let layer = layer("a");
    let config = config(&[&layer]);
    let digest = |blob: &[u8]| format!("sha256:{}", hex(blob));
    let image = json!({
        "config": {"digest": digest(&config), "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{"digest": digest(&layer), "mediaType": "application/vnd.oci.image.layer.v1.tar"}],
    });
    let texts: Vec<String> = manifests.iter().chain([&image]).map(ToString::to_string).collect();
    let listed: Vec<_> = texts.iter().map(|text| json!({"digest": digest(text.as_bytes())})).collect();
    let blobs: Vec<&[u8]> = texts.iter().map(String::as_bytes).chain([&layer[..], &config]).collect();
    let found = images(&mut Cursor::new(oci(&blobs, &listed.into()))).unwrap().unwrap();
    assert_eq!((found.images.len(), found.images[0].id.0), (1, sha256(&config)), "{manifests:?}");
    found.passed_over.into_iter().map(|other| other.what).collect()
}

#[test]
fn what_is_no_image_is_passed_over_and_named() {
    let image_config = json!({"digest": "sha256:00", "mediaType": "application/vnd.oci.image.config.v1+json"});
    let content = |kind: &str| json!([{"digest": "sha256:00", "mediaType": kind}]);
    let layers = content("application/vnd.oci.image.layer.v1.tar+gzip");
    for (manifest, what) in [
        (
            json!({"config": image_config, "layers": content("application/vnd.dev.cosign.simplesigning.v1+json")}),
            "contents are application/vnd.dev.cosign.simplesigning.v1+json",
        ),
        (
            json!({"config": image_config, "layers": content("application/vnd.in-toto+json")}),
            "application/vnd.in-toto+json",
        ),
        (
            json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": layers}),
            "configuration is application/vnd.cncf.helm.config.v1+json",
        ),
        (
            json!({"config": {"mediaType": "application/vnd.oci.empty.v1+json"}, "artifactType": "application/x-ms-ccepolicy-frag", "layers": layers}),
            "of type application/x-ms-ccepolicy-frag",
        ),
        (
            json!({"config": image_config, "layers": layers, "subject": {"digest": "sha256:ab"}}),
            "attached to sha256:ab",
        ),
    ] {
        let passed_over = beside(std::slice::from_ref(&manifest));
        assert!(passed_over.len() == 1 && passed_over[0].contains(what), "{manifest}: {passed_over:?}");
    }
    let descriptors = [
        (json!({"artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json"}), "cosign.artifact.sig"),
        (json!({"annotations": {"kind": "dev.cosignproject.cosign/sigs"}}), "signatures of cosign"),
        (json!({"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}), "attestation by the builder"),
        (json!({"platform": {"os": "unknown", "architecture": "unknown"}}), "unknown platform"),
        (json!({"platform": {"os": "windows", "architecture": "amd64"}}), "windows/amd64"),
    ];
    for (descriptor, what) in descriptors {
        assert!(attached::by_descriptor(&descriptor).unwrap().contains(what), "{descriptor}");
    }
}

#[test]
fn one_image_twice_is_one_and_two_are_none() {
    let (layer, other) = (layer("a"), layer("b"));
    let (config, another) = (config(&[&layer]), config(&[&other]));
    let digest = |blob: &[u8]| format!("sha256:{}", hex(blob));
    let manifest = |config: &[u8], layer: &[u8], kind: &str| {
        json!({"config": {"digest": digest(config)}, "layers": [{"digest": digest(layer), "mediaType": format!("application/vnd.oci.image.layer.v1.{kind}")}]}).to_string()
    };
    let packed = b"\x28\xb5\x2f\xfd".to_vec();
    let (plain, zstd) = (manifest(&config, &layer, "tar"), manifest(&config, &packed, "tar+zstd"));
    let blobs = [&layer[..], &packed, &config, plain.as_bytes(), zstd.as_bytes()];
    for pair in [[&plain, &zstd], [&zstd, &plain]] {
        let listed = json!(pair.map(|text| json!({"digest": digest(text.as_bytes())})));
        let found = images(&mut Cursor::new(oci(&blobs, &listed))).unwrap().unwrap();
        assert_eq!((found.images.len(), found.images[0].layers.len()), (1, 1));
        assert_eq!(found.passed_over.len(), 1);
        assert!(found.passed_over[0].what.ends_with("compressed with zstd"), "{:?}", found.passed_over);
    }
    let second = manifest(&another, &other, "tar");
    let blobs = [&layer[..], &other, &config, &another, plain.as_bytes(), second.as_bytes()];
    let entry = |text: &String, name: Option<&str>| {
        let annotations = name.map(|name| json!({"org.opencontainers.image.ref.name": name}));
        json!({"digest": digest(text.as_bytes()), "annotations": annotations})
    };
    for name in [None, Some("node:1")] {
        let listed = json!([entry(&plain, name), entry(&second, name)]);
        let says = refusal(oci(&blobs, &listed));
        assert!(says.contains("there are 2 images") && says.contains(&digest(second.as_bytes())), "{says}");
    }
    let listed = json!([entry(&plain, Some("node:1")), entry(&second, Some("node:2"))]);
    assert_eq!(read(oci(&blobs, &listed)).unwrap().unwrap().len(), 2);
}

#[test]
fn an_entry_of_another_media_type_is_not_a_manifest() {
    let named = |kind: &str| super::attached::by_descriptor(&json!({"mediaType": kind}));
    assert!(named("application/x-unknown").is_some_and(|what| what.contains("application/x-unknown")));
    assert_eq!(named("application/vnd.oci.image.manifest.v1+json"), None);
}
