//! The constitution that a service starts with when it has no other.

/// The project's own constitution: the files of `templates/constitution` in the order in which they make one module.
///
/// `docs/constitution.md` says what it does.
pub const DEFAULT: &str = concat!(
    include_str!("../../templates/constitution/actions.js"),
    "\n",
    include_str!("../../templates/constitution/validate.js"),
    "\n",
    include_str!("../../templates/constitution/resolve.js"),
    "\n",
    include_str!("../../templates/constitution/apply.js"),
);
