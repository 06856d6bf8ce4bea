//! Which way a plan walks, and so what it calls its codes: on the way back, the code that is to run is the old one.

use super::{CodeKind, Plan};
use crate::text::clip;

/// Which way a plan walks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// To the code that `upgrade.toml` calls new.
    #[default]
    Forward,
    /// Back to what ran before.
    Back,
}

impl Plan {
    /// What a person calls the code that is to run: "the new code" or, on the way back, "the old code" with the first digits of what
    /// identifies it.
    pub fn wanted_code(&self) -> String {
        match self.way {
            Way::Forward => "the new code".into(),
            Way::Back => {
                let running = self.new.running();
                let digits: String = running.identity().chars().take(8).collect();
                format!("the old code ({}…)", clip(&digits, 8))
            }
        }
    }

    /// What a person calls the code that is to be retired.
    pub fn retired_code(&self) -> &'static str {
        match self.way {
            Way::Forward => "the old code",
            Way::Back => "the new code",
        }
    }

    /// What `upgrade.toml` calls code that is this to the plan.
    pub fn word(&self, code: CodeKind) -> CodeKind {
        match (self.way, code) {
            (Way::Back, CodeKind::New) => CodeKind::Old,
            (Way::Back, CodeKind::Old) => CodeKind::New,
            (_, code) => code,
        }
    }
}
