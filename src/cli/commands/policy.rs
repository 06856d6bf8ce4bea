//! `policy show`: what a security policy admits.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::{checks, images};
use ccf_gov::check::{Checks, Conclusion, Verdict};
use ccf_gov::digest::HostData;
use ccf_gov::evidence::layers::image::{Image, PassedOver};
use ccf_gov::evidence::policy::deployment::{self, FoundPolicy};
use ccf_gov::evidence::policy::{
    Container, EnvironmentRule, Mount, Review, USUAL_CAPABILITIES, command_line, compare_all_images,
};
use ccf_gov::files;
use ccf_gov::text::visible;

/// Show what a security policy admits
#[derive(Args)]
pub struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Show what a security policy admits: containers, commands, layers, mounts, fragments, switches
    Show(Show),
}

/// Show what a security policy admits, with everything in it that a person should review
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov policy show security-policy-base64
  ccf-gov policy show template.json --image node.tar --image sidecar.tar

With --image the answer is no (exit code 3) unless the layers of every container are those of an image that was given. Azure's \
pause container is the platform's, and needs none.")]
pub struct Show {
    /// Rego, its base64, an ARM template, a container group's YAML, or a Kubernetes manifest
    file: PathBuf,
    /// An image that was built (docker save, or an OCI layout as tar), to compare the containers with; repeat for several
    #[arg(long, value_name = "ARCHIVE")]
    image: Vec<PathBuf>,
}

impl Policy {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Show(args) => args.run(context),
        }
    }
}

impl Show {
    fn run(self, context: &Context) -> Result<Exit, CliError> {
        let bytes = files::read(&self.file, deployment::MAX_FILE as u64)?;
        let found = deployment::find(&bytes).map_err(|e| {
            CliError::from(e).doing(format!("cannot find a security policy in {}", self.file.display()))
        })?;
        let reviewed: Vec<(FoundPolicy, Review)> =
            found.into_iter().map(|f| (Review::of(&f.policy), f)).map(|(review, f)| (f, review)).collect();
        let compared = if self.image.is_empty() { None } else { Some(compare(&reviewed, &self.image)?) };
        let result = Shown::of(&reviewed, compared.as_ref());
        context.output.result(&result, || {
            let mut parts: Vec<_> = reviewed.iter().map(|(found, review)| show(found, review)).collect();
            parts.extend(compared.iter().map(|(_, checks)| checks::lines(checks)));
            parts.join("\n")
        })?;
        Ok(compared.map_or(Exit::Done, |(_, checks)| checks::exit(&checks)))
    }
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown<'a> {
    policies: Vec<ShownPolicy<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<&'a [Image]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Conclusion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a Checks>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShownPolicy<'a> {
    name: Option<&'a str>,
    host_data: HostData,
    remark: Option<&'a str>,
    #[serde(flatten)]
    review: &'a Review,
}

impl<'a> Shown<'a> {
    fn of(reviewed: &'a [(FoundPolicy, Review)], compared: Option<&'a (Vec<Image>, Checks)>) -> Self {
        let policy = |(found, review): &'a (FoundPolicy, Review)| ShownPolicy {
            name: found.name.as_deref(),
            host_data: found.host_data(),
            remark: found.remark.as_deref(),
            review,
        };
        Self {
            policies: reviewed.iter().map(policy).collect(),
            images: compared.map(|(images, _)| images.as_slice()),
            verdict: compared.map(|(_, checks)| checks.verdict()),
            checks: compared.map(|(_, checks)| checks),
        }
    }
}

/// Every policy's containers against the images in `archives`, and every image against the policies.
fn compare(reviewed: &[(FoundPolicy, Review)], archives: &[PathBuf]) -> Result<(Vec<Image>, Checks), CliError> {
    let mut images = Vec::new();
    let mut checks = Checks::new();
    for path in archives {
        let found = images::open(path)?.ok_or_else(|| {
            CliError::usage(format!("{} is not an archive of images", path.display())).hint(
                "save the image with `docker save` or as an OCI layout, uncompressed; a single layer is not enough",
            )
        })?;
        images.extend(found.images);
        for PassedOver { digest, what } in found.passed_over {
            checks.warn("not-an-image", format!("{}: passed over: {what} ({digest})", path.display()));
        }
    }
    let policies: Vec<_> = reviewed.iter().map(|(found, review)| (found.name.as_deref(), review)).collect();
    compare_all_images(&policies, &images, &mut checks);
    Ok((images, checks))
}

fn show(found: &FoundPolicy, review: &Review) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, content: String| {
        text += &format!("{:1$}{2}\n", "", indent, visible(&content));
    };
    if let Some(name) = &found.name {
        line(0, format!("Container group  {name}"));
    }
    line(0, format!("Host data        {}", found.host_data()));
    let version = |v: &Option<String>| v.clone().unwrap_or_else(|| "not given".into());
    line(
        0,
        format!(
            "Versions         api {}, framework {}",
            version(&review.api_version),
            version(&review.framework_version)
        ),
    );
    if let Some(remark) = &found.remark {
        line(0, format!("Remark           {remark}"));
    }
    if review.is_fragment() {
        line(0, format!("Package          {}: a fragment", review.package.as_deref().unwrap_or_default()));
    }
    if review.admits_any_container() {
        line(0, format!("Containers       any: everything is admitted by {}", review.open_rules.join(", ")));
    }
    for (at, container) in review.containers.iter().enumerate() {
        show_container(at, container, review.framework_version.as_deref(), &mut line);
    }
    for rules in &review.platform_rules {
        line(0, "Every container".into());
        show_rules(&rules.environment, &rules.mounts, &mut line);
    }
    for process in &review.external_processes {
        line(0, format!("External process {}", command_line(process)));
    }
    for fragment in &review.fragments {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".into());
        line(0, format!("Fragment         {} from svn {}", text(&fragment.feed), text(&fragment.minimum_svn)));
        line(4, format!("issuer       {}", text(&fragment.issuer)));
        line(4, format!("adds         {}", fragment.includes.join(", ")));
        if let Some(parameters) = &fragment.parameters {
            line(4, format!("parameters   {parameters}"));
        }
        if let Some(receipts) = &fragment.required_receipts {
            line(4, format!("receipts     {receipts}"));
        }
    }
    for (name, value) in &review.switches {
        line(0, format!("Switch           {name} {value}"));
    }
    let delegates = |(rule, target): &&(String, String)| *target == format!("data.framework.{rule}");
    let delegating = review.rules.iter().filter(delegates).count();
    if delegating > 0 {
        line(0, format!("Rules            {delegating} delegate to the framework"));
    }
    for (rule, says) in review.rules.iter().filter(|rule| !delegates(rule)) {
        line(0, format!("Rule             {rule}: {says}"));
    }
    for warning in &review.warnings {
        let label = match warning.verdict() {
            Verdict::Fail => "Dangerous",
            Verdict::Incomplete => "Not understood",
            Verdict::Warn | Verdict::Pass => "Warning",
        };
        let name = if warning.name == "not-understood" { String::new() } else { format!("{}: ", warning.name) };
        line(0, format!("{label:<16} {name}{}", warning.detail));
    }
    text
}

fn show_rules(environment: &[EnvironmentRule], mounts: &[Mount], line: &mut impl FnMut(usize, String)) {
    for rule in environment {
        let required = if rule.required { ", required" } else { "" };
        line(4, format!("environment  {} ({}{required})", rule.pattern, rule.strategy));
    }
    for mount in mounts {
        line(4, format!("mount        {} at {} ({})", mount.source, mount.destination, mount.options.join(",")));
    }
}

fn show_container(at: usize, container: &Container, framework: Option<&str>, line: &mut impl FnMut(usize, String)) {
    let name = container.name.as_deref().or(container.id.as_deref());
    let pause = if container.pause { " (Azure's pause container)" } else { "" };
    line(0, format!("Container {:<6} {}{pause}", at + 1, name.unwrap_or("without a name")));
    if let (Some(_), Some(image)) = (&container.name, &container.id) {
        line(4, format!("image        {image}"));
    }
    let command = if container.command.is_empty() { "none is given".into() } else { command_line(&container.command) };
    line(4, format!("command      {command}"));
    line(4, format!("user         {}", container.user_under(framework)));
    if let Some(folder) = &container.working_dir {
        line(4, format!("in           {folder}"));
    }
    for layer in &container.layers {
        line(4, format!("layer        {layer}"));
    }
    show_rules(&container.environment, &container.mounts, line);
    for process in &container.exec_processes {
        line(4, format!("may start    {}", command_line(process)));
    }
    for (name, value) in &container.switches {
        line(4, format!("switch       {name} {value}"));
    }
    if !container.signals.is_empty() {
        line(4, format!("signals      {}", container.signals.join(" ")));
    }
    if let Some(digest) = &container.seccomp_profile_sha256 {
        line(4, format!("seccomp      {digest}"));
    }
    let unusual = container.unusual_capabilities();
    let usual = container.capabilities.len() - unusual.len();
    let mut capabilities = unusual.join(" ");
    if usual > 0 {
        let and = if unusual.is_empty() { "" } else { " and " };
        capabilities += &format!("{and}{usual} of the {} usual ones", USUAL_CAPABILITIES.len());
    }
    if !capabilities.is_empty() {
        line(4, format!("capabilities {capabilities}"));
    }
}
