//! The agent configuration: the section `ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration`.

use serde_json::Value;

use super::duration::Duration;
use super::evaluation::{ErrorKind, Warning};
use super::layout::{self, Key, Layout, layout};
use super::setting::{Priority, duration, flag, positive, priority, text, text_unless_empty};

/// Largest `maxMessageSizeInBytes`: IoT Hub refuses larger device-to-cloud messages (IoT Hub docs:
/// quotas and throttling).
const MAX_MESSAGE_BYTES: u32 = 262_144;

/// IoT Hub counts device-to-cloud messages in blocks of this size (IoT Hub docs: quotas and
/// throttling), so a message that ends between two wastes the rest.
const METERING_BLOCK_BYTES: u32 = 4096;

const EVENT_PRIORITY: &str = "eventPriority";

layout! {
    /// The configuration of the security agent: every setting, typed and within its range.
    ///
    /// Keys and defaults are those of the published schema and default document
    /// (`azureiotsecurity_default.json` of Azure/Azure-IoT-Security), with the keys that only the
    /// reference agents know. [`Default`] gives the defaults.
    AgentConfiguration, KEYS {
        /// Room for events that were not sent yet, in bytes; 1 … 4294967295.
        max_local_cache_size_in_bytes: u32 =
            2_560_000, "maxLocalCacheSizeInBytes", positive::<{ u32::MAX }>;
        /// The largest message, in bytes; 1 … 262144.
        max_message_size_in_bytes: u32 =
            204_800, "maxMessageSizeInBytes", positive::<MAX_MESSAGE_BYTES>;
        /// The longest time before a low-priority event is sent.
        low_priority_message_frequency: Duration =
            Duration::hours(5), "lowPriorityMessageFrequency", duration;
        /// The longest time before a high-priority event is sent.
        high_priority_message_frequency: Duration =
            Duration::minutes(7), "highPriorityMessageFrequency", duration;
        /// How often periodic (state) events are taken.
        snapshot_frequency: Duration = Duration::hours(13), "snapshotFrequency", duration;
        /// Priority of the event `ConnectedHardware`.
        event_priority_connected_hardware: Priority =
            Priority::Low, "eventPriorityConnectedHardware", priority;
        /// Priority of the event `ListeningPorts`.
        event_priority_listening_ports: Priority =
            Priority::High, "eventPriorityListeningPorts", priority;
        /// Priority of the event `ProcessCreate`.
        event_priority_process_create: Priority =
            Priority::Low, "eventPriorityProcessCreate", priority;
        /// Priority of the event `ProcessTerminate`.
        event_priority_process_terminate: Priority =
            Priority::Low, "eventPriorityProcessTerminate", priority;
        /// Priority of the event `SystemInformation`.
        event_priority_system_information: Priority =
            Priority::Low, "eventPrioritySystemInformation", priority;
        /// Priority of the event `LocalUsers`.
        event_priority_local_users: Priority =
            Priority::High, "eventPriorityLocalUsers", priority;
        /// Priority of the event `Login`.
        event_priority_login: Priority = Priority::High, "eventPriorityLogin", priority;
        /// Priority of the event `ConnectionCreate`.
        event_priority_connection_create: Priority =
            Priority::Low, "eventPriorityConnectionCreate", priority;
        /// Priority of the event `FirewallConfiguration`.
        event_priority_firewall_configuration: Priority =
            Priority::Low, "eventPriorityFirewallConfiguration", priority;
        /// Priority of the event `OSBaseline`.
        event_priority_os_baseline: Priority =
            Priority::Low, "eventPriorityOSBaseline", priority;
        /// Priority of the event `Diagnostic`.
        event_priority_diagnostic: Priority =
            Priority::Low, "eventPriorityDiagnostic", priority;
        /// Priority of the operational event `ConfigurationError`.
        event_priority_configuration_error: Priority =
            Priority::Low, "eventPriorityConfigurationError", priority;
        /// Priority of the operational event `DroppedEventsStatistics`.
        event_priority_dropped_events_statistics: Priority =
            Priority::Low, "eventPriorityDroppedEventsStatistics", priority;
        /// Priority of the operational event `MessageStatistics`.
        event_priority_message_statistics: Priority =
            Priority::Low, "eventPriorityMessageStatistics", priority;
        /// Equal `ProcessCreate` events within the interval become one.
        aggregation_enabled_process_create: bool =
            true, "aggregationEnabledProcessCreate", flag;
        /// How long equal `ProcessCreate` events are collected.
        aggregation_interval_process_create: Duration =
            Duration::hours(1), "aggregationIntervalProcessCreate", duration;
        /// Equal `ConnectionCreate` events within the interval become one.
        aggregation_enabled_connection_create: bool =
            true, "aggregationEnabledConnectionCreate", flag;
        /// How long equal `ConnectionCreate` events are collected.
        aggregation_interval_connection_create: Duration =
            Duration::hours(1), "aggregationIntervalConnectionCreate", duration;
        /// Equal `ProcessTerminate` events within the interval become one.
        aggregation_enabled_process_terminate: bool =
            true, "aggregationEnabledProcessTerminate", flag;
        /// How long equal `ProcessTerminate` events are collected.
        aggregation_interval_process_terminate: Duration =
            Duration::hours(1), "aggregationIntervalProcessTerminate", duration;
        /// The host runs its own baseline checks too.
        baseline_custom_checks_enabled: bool = false, "baselineCustomChecksEnabled", flag;
        /// The file with those checks, at most 4096 bytes.
        baseline_custom_checks_file_path: Option<String> =
            None, "baselineCustomChecksFilePath", text;
        /// The hash of that file, at most 4096 bytes.
        baseline_custom_checks_file_hash: Option<String> =
            None, "baselineCustomChecksFileHash", text;
        /// The Azure resource id of the hub, at most 4096 bytes. The empty text means not set.
        hub_resource_id: Option<String> = None, "hubResourceId", text_unless_empty;
    }
}

/// The C reference agent's one key for the three operational events; not in the published schema.
const OPERATIONAL: Key<AgentConfiguration> = Key {
    name: "eventPriorityOperational",
    set: |configuration, value| {
        configuration.set_operational([priority(value)?; 3]);
        Ok(())
    },
    copy: |configuration, from| configuration.set_operational(from.operational()),
    get: |configuration| {
        let mut words = configuration.operational().map(Priority::as_str).to_vec();
        words.dedup();
        Value::from(words.join(", "))
    },
};

impl AgentConfiguration {
    /// The priority of an event by its name, as in `Login`; `None` for a name without a setting.
    #[must_use]
    pub fn priority_of(&self, event: &str) -> Option<Priority> {
        let is_key_of = |key: &&Key<Self>| key.name.strip_prefix(EVENT_PRIORITY) == Some(event);
        let key = KEYS.iter().find(is_key_of)?;
        priority(&(key.get)(self)).ok()
    }

    /// The flat JSON form: every key with its value, durations and priorities as text, `null` for
    /// a text that is not set.
    #[must_use]
    pub fn to_json(&self) -> Value {
        layout::to_json(self)
    }

    const fn operational(&self) -> [Priority; 3] {
        [
            self.event_priority_configuration_error,
            self.event_priority_dropped_events_statistics,
            self.event_priority_message_statistics,
        ]
    }

    fn set_operational(&mut self, priorities: [Priority; 3]) {
        [
            self.event_priority_configuration_error,
            self.event_priority_dropped_events_statistics,
            self.event_priority_message_statistics,
        ] = priorities;
    }
}

impl Layout for AgentConfiguration {
    const KEYS: &'static [Key<Self>] = KEYS;
    const ALIASES: &'static [Key<Self>] = &[OPERATIONAL];

    fn warnings(&self) -> Vec<Warning> {
        let cache = self.max_local_cache_size_in_bytes;
        let message = self.max_message_size_in_bytes;
        let high = self.high_priority_message_frequency;
        let low = self.low_priority_message_frequency;
        let mut warnings = Vec::new();
        if cache < message {
            warnings.push(Warning {
                key: "maxLocalCacheSizeInBytes".to_owned(),
                kind: ErrorKind::Conflict,
                used: cache.to_string(),
                message: "maxLocalCacheSizeInBytes is smaller than maxMessageSizeInBytes"
                    .to_owned(),
            });
        }
        if !message.is_multiple_of(METERING_BLOCK_BYTES) {
            warnings.push(Warning {
                key: "maxMessageSizeInBytes".to_owned(),
                kind: ErrorKind::NotOptimal,
                used: message.to_string(),
                message: "maxMessageSizeInBytes is not a multiple of 4096".to_owned(),
            });
        }
        if high > low {
            warnings.push(Warning {
                key: "highPriorityMessageFrequency".to_owned(),
                kind: ErrorKind::Conflict,
                used: high.to_string(),
                message: "highPriorityMessageFrequency is longer than lowPriorityMessageFrequency"
                    .to_owned(),
            });
        }
        warnings
    }
}
