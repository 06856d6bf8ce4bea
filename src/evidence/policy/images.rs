//! What a policy admits against the images that were built.

use std::collections::BTreeSet;

use regex::RegexBuilder;

use super::contents::{Container, command_line};
use super::environment::EnvironmentRule;
use super::review::Review;
use crate::check::{Checks, Verdict};
use crate::evidence::layers::image::Image;

/// Compares every policy with every image, as [`compare_images`] does; an image that no container admits is a warning. Policies have
/// the name of their container group.
pub fn compare_all_images(policies: &[(Option<&str>, &Review)], images: &[Image], checks: &mut Checks) {
    let mut admitted = BTreeSet::new();
    for (group, review) in policies {
        let group = group.filter(|_| policies.len() > 1);
        admitted.extend(compare_images(group, review, images, checks));
    }
    for (_, image) in images.iter().enumerate().filter(|(at, _)| !admitted.contains(at)) {
        checks.warn("image-not-admitted", format!("{}: no container of the policy has its layers", image.title()));
    }
}

/// Compares each container of a policy, Azure's pause container aside, with `images`: `container-layers` fails unless an image has
/// its layers, in their order. Differences in command, environment and folder are warnings, for a deployment may change them.
///
/// `group` is the container group's name, if there are several. Returns the images that a container admits, by their places.
pub fn compare_images(group: Option<&str>, review: &Review, images: &[Image], checks: &mut Checks) -> BTreeSet<usize> {
    let mut admitted = BTreeSet::new();
    if review.admits_any_container() {
        checks.fail("container-layers", "rules of this policy admit containers of any layers");
    }
    for (at, container) in review.containers.iter().enumerate().filter(|(_, container)| !container.pause) {
        let title = match group {
            Some(group) => format!("{group}, {}", container.title(at)),
            None => container.title(at),
        };
        let found = fitting(container, images);
        admitted.extend(&found);
        // Images may share all layers and differ in their configuration: the one whose command fits is meant.
        let fits = |at: &&usize| images.get(**at).is_some_and(|image| image.command_line() == container.command);
        match found.iter().find(fits).or(found.first()).and_then(|at| images.get(*at)) {
            Some(image) => {
                checks.pass("container-layers", format!("{title}: its layers are those of {}", image.title()));
                compare_configuration(&title, review, container, image, checks);
            }
            None => not_backed(&title, container, images, checks),
        }
    }
    for warning in &review.warnings {
        let told = format!("{}: {}", warning.name, warning.detail);
        match (warning.verdict(), warning.name) {
            (Verdict::Incomplete, _) => checks
                .incomplete("container-layers", format!("not understood, so other layers may be admitted: {told}")),
            (Verdict::Fail, "allow-all") => checks.fail("policy-allow-all", told),
            (Verdict::Fail, _) => checks.fail("policy-contents", told),
            _ => {}
        }
    }
    for fragment in &review.fragments {
        let feed = fragment.feed.as_deref().unwrap_or("without a feed");
        // A fragment of it may do so, too.
        if fragment.includes.iter().any(|part| part == "containers" || part == "fragments") {
            checks.warn("fragment", format!("the fragment {feed} may add containers, which no image here backs"));
        }
    }
    admitted
}

/// The images with the container's layers.
fn fitting(container: &Container, images: &[Image]) -> Vec<usize> {
    let same = |image: &Image| hashes(image).eq(container.layers.iter().cloned());
    let has_layers = !container.layers.is_empty();
    (0..images.len()).filter(|at| has_layers && images.get(*at).is_some_and(same)).collect()
}

fn hashes(image: &Image) -> impl Iterator<Item = String> {
    image.layers.iter().map(|layer| layer.hash.to_string())
}

/// An extra container: says what of it no image has.
fn not_backed(title: &str, container: &Container, images: &[Image], checks: &mut Checks) {
    let known: BTreeSet<String> = images.iter().flat_map(hashes).collect();
    let unknown: Vec<&str> = container.layers.iter().map(String::as_str).filter(|l| !known.contains(*l)).collect();
    let turned = images.iter().find(|image| {
        let mut hashes: Vec<String> = hashes(image).collect();
        hashes.reverse();
        !hashes.is_empty() && hashes == container.layers
    });
    let why = match (turned, unknown.as_slice()) {
        (Some(image), _) => {
            format!("its layers are those of {} upside down, and a policy lists the lowest first", image.title())
        }
        (None, _) if container.layers.is_empty() => "it has no layers".to_owned(),
        (None, []) => "no image has just these layers in this order".to_owned(),
        (None, [layer]) => format!("no image has the layer {layer}"),
        (None, unknown) => format!("no image has the layers {}", unknown.join(", ")),
    };
    checks.fail("container-layers", format!("{title} is an extra container, backed by no image: {why}"));
}

fn compare_configuration(title: &str, review: &Review, container: &Container, image: &Image, checks: &mut Checks) {
    let wanted = image.command_line();
    if wanted == container.command {
        checks.pass("container-command", format!("{title}: the command is the image's"));
    } else {
        let (ours, theirs) = (command_line(&container.command), command_line(&wanted));
        checks.warn("container-command", format!("{title}: the policy's command is {ours}, the image's is {theirs}"));
    }
    let folder = container.working_dir.as_deref().unwrap_or_default();
    if folder != image.working_dir {
        let what = format!("{title}: the policy's folder is {folder}, the image's is {}", image.working_dir);
        checks.warn("container-working-dir", what);
    }
    let dropped = review.switches.iter().any(|(name, value)| name == "allow_environment_variable_dropping" && *value);
    let refused: Vec<&str> = image
        .environment
        .iter()
        .map(String::as_str)
        .filter(|v| !container.environment.iter().any(|r| admits(r, v)))
        .collect();
    if refused.is_empty() {
        checks.pass("container-environment", format!("{title}: the image's variables are admitted"));
    } else {
        let outcome = if dropped { "it drops them" } else { "a container that has them is refused" };
        let what = format!("{title}: the policy does not admit the image's {}: {outcome}", refused.join(", "));
        checks.warn("container-environment", what);
    }
}

/// Whether a rule admits `NAME=value`, as the platform's framework decides it.
fn admits(rule: &EnvironmentRule, variable: &str) -> bool {
    /// Bytes of a compiled pattern: those that tools write take some thousands.
    const MAX_COMPILED: usize = 1 << 20;
    match rule.strategy.as_str() {
        "string" => rule.pattern == variable,
        "re2" => {
            let start = if rule.pattern.starts_with('^') { "" } else { "^" };
            let end = if rule.pattern.ends_with('$') { "" } else { "$" };
            let pattern = format!("{start}{}{end}", rule.pattern);
            RegexBuilder::new(&pattern).size_limit(MAX_COMPILED).build().is_ok_and(|regex| regex.is_match(variable))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
