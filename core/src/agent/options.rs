//! How a desired document is read.

/// The member of the desired document that holds the agent configuration.
pub const SECTION: &str = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";

/// Its name in the first preview of the service, until July 2019.
pub const LEGACY_SECTION: &str = "azureiot*com^securityAgentConfiguration^1*0*0";

/// Settings of a [`Configurator`](super::Configurator).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AgentOptions {
    /// The member of the desired document to read, [`SECTION`] by default. Profile `MicroAgent` has
    /// no section and does not look at it.
    pub section: String,
    /// What a bad property does to the good ones beside it.
    pub acceptance: Acceptance,
    /// The layout of the document.
    pub profile: Profile,
}

/// What a bad known property does to the good ones beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Acceptance {
    /// It refuses the whole update; the configuration in force stays. The published rule.
    #[default]
    Whole,
    /// Nothing: the good ones apply, and a bad one keeps the value in force.
    PerProperty,
}

/// The layout of the desired document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// One section, every property wrapped as `{"value": …}`.
    #[default]
    Current,
    /// One section, bare values. The section's default name is [`LEGACY_SECTION`].
    Legacy,
    /// The micro agent's keys with bare values in the desired document itself.
    MicroAgent,
}

impl Default for AgentOptions {
    fn default() -> Self {
        Self {
            section: SECTION.to_owned(),
            acceptance: Acceptance::default(),
            profile: Profile::default(),
        }
    }
}

impl AgentOptions {
    /// With another section.
    #[must_use]
    pub fn with_section(mut self, section: impl Into<String>) -> Self {
        self.section = section.into();
        self
    }

    /// With another acceptance.
    #[must_use]
    pub const fn with_acceptance(mut self, acceptance: Acceptance) -> Self {
        self.acceptance = acceptance;
        self
    }

    /// With another profile.
    #[must_use]
    pub const fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The name of the section in desired and reported; `None` where the configuration stands in
    /// the documents themselves (profile `MicroAgent`).
    #[must_use]
    pub fn section_name(&self) -> Option<&str> {
        match self.profile {
            Profile::MicroAgent => None,
            Profile::Legacy if self.section == SECTION => Some(LEGACY_SECTION),
            Profile::Current | Profile::Legacy => Some(&self.section),
        }
    }
}
