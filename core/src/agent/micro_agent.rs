//! The micro agent's layout: flat keys under `properties.desired` of its module twin.

use serde_json::Value;

use super::evaluation::{ErrorKind, Warning};
use super::layout::{self, Key, Layout, layout};
use super::setting::{
    Expected, MessageFrequency, PriorityIntervals, ProcessMode, flag, frequency, intervals,
    positive, process_mode, text_unless_empty,
};

/// A positive integer. The documents name no upper end; 32 bits are ours.
fn count(value: &Value) -> Result<u32, Expected> {
    positive::<{ u32::MAX }>(value)
}

/// A comma list of network devices. An empty list means the same as none given.
fn devices(value: &Value) -> Result<String, Expected> {
    Ok(text_unless_empty(value)?.unwrap_or_else(default_devices))
}

fn default_devices() -> String {
    "eth0".to_owned()
}

layout! {
    /// The configuration of the Defender for IoT micro agent: every setting, typed and within its
    /// range.
    ///
    /// Keys and defaults are those of its documents (Defender for IoT docs: micro agent
    /// configurations). Lists are comma-separated text, as they come; texts are at most 4096 bytes,
    /// and an empty one means not set. [`Default`] gives the defaults.
    MicroAgentConfiguration, KEYS {
        /// Minutes between messages, per frequency.
        collectors_core_priority_intervals: PriorityIntervals =
            PriorityIntervals { high: 30, medium: 120, low: 1440 },
            "CollectorsCore_PriorityIntervals", intervals;
        /// The collector is off.
        baseline_disabled: bool = false, "Baseline_Disabled", flag;
        /// How soon its events are sent.
        baseline_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Baseline_MessageFrequency", frequency;
        /// List of baseline groups that are not checked.
        baseline_groups_disabled: Option<String> =
            None, "Baseline_GroupsDisabled", text_unless_empty;
        /// List of baseline checks that are not made.
        baseline_checks_disabled: Option<String> =
            None, "Baseline_ChecksDisabled", text_unless_empty;
        /// The collector is off.
        system_information_disabled: bool = false, "SystemInformation_Disabled", flag;
        /// How soon its events are sent.
        system_information_message_frequency: MessageFrequency =
            MessageFrequency::Low, "SystemInformation_MessageFrequency", frequency;
        /// Told instead of the detected one.
        system_information_hardware_vendor: Option<String> =
            None, "SystemInformation_HardwareVendor", text_unless_empty;
        /// Told instead of the detected one.
        system_information_hardware_model: Option<String> =
            None, "SystemInformation_HardwareModel", text_unless_empty;
        /// Told instead of the detected one.
        system_information_hardware_serial_number: Option<String> =
            None, "SystemInformation_HardwareSerialNumber", text_unless_empty;
        /// Told instead of the detected one.
        system_information_firmware_vendor: Option<String> =
            None, "SystemInformation_FirmwareVendor", text_unless_empty;
        /// Told instead of the detected one.
        system_information_firmware_version: Option<String> =
            None, "SystemInformation_FirmwareVersion", text_unless_empty;
        /// The collector (software bill of materials) is off.
        sbom_disabled: bool = false, "SBoM_Disabled", flag;
        /// How soon its events are sent.
        sbom_message_frequency: MessageFrequency =
            MessageFrequency::Low, "SBoM_MessageFrequency", frequency;
        /// The event is not sent.
        heartbeat_disabled: bool = false, "Heartbeat_Disabled", flag;
        /// How soon it is sent.
        heartbeat_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Heartbeat_MessageFrequency", frequency;
        /// The collector is off.
        login_disabled: bool = false, "Login_Disabled", flag;
        /// How soon its events are sent.
        login_message_frequency: MessageFrequency =
            MessageFrequency::Medium, "Login_MessageFrequency", frequency;
        /// Take login events from PAM.
        login_use_pam: bool = false, "Login_UsePAM", flag;
        /// Minutes a message may wait to be sent; 1 … 4294967295.
        iothub_module_message_timeout: u32 = 2880, "IothubModule_MessageTimeout", count;
        /// The collector is off.
        network_activity_disabled: bool = false, "NetworkActivity_Disabled", flag;
        /// How soon its events are sent.
        network_activity_message_frequency: MessageFrequency =
            MessageFrequency::Medium, "NetworkActivity_MessageFrequency", frequency;
        /// List of network devices to watch.
        network_activity_devices: String = default_devices(), "NetworkActivity_Devices", devices;
        /// Events kept between two messages; 1 … 4294967295.
        network_activity_cache_size: u32 = 256, "NetworkActivity_CacheSize", count;
        /// Bytes of capture buffer per device and direction; 1 … 4294967295.
        network_activity_packet_buffer_size: u32 =
            2_097_152, "NetworkActivity_PacketBufferSize", count;
        /// The collector is off.
        process_disabled: bool = false, "Process_Disabled", flag;
        /// How soon its events are sent.
        process_message_frequency: MessageFrequency =
            MessageFrequency::Medium, "Process_MessageFrequency", frequency;
        /// Microseconds between two looks in polling mode; 1 … 4294967295.
        process_polling_interval: u32 = 100_000, "Process_PollingInterval", count;
        /// How processes are watched.
        process_mode: ProcessMode = ProcessMode::Auto, "Process_Mode", process_mode;
        /// Events kept between two messages; 1 … 4294967295.
        process_cache_size: u32 = 256, "Process_CacheSize", count;
        /// The collector is off.
        log_collector_disabled: bool = false, "LogCollector_Disabled", flag;
        /// How soon its events are sent.
        log_collector_message_frequency: MessageFrequency =
            MessageFrequency::Low, "LogCollector_MessageFrequency", frequency;
        /// The collector is off.
        file_system_disabled: bool = false, "FileSystem_Disabled", flag;
        /// How soon its events are sent.
        file_system_message_frequency: MessageFrequency =
            MessageFrequency::Low, "FileSystem_MessageFrequency", frequency;
        /// Watch the folders below too.
        file_system_recursive: bool = true, "FileSystem_Recursive", flag;
        /// List of paths to watch.
        file_system_paths: Option<String> = None, "FileSystem_Paths", text_unless_empty;
        /// Events kept between two messages; 1 … 4294967295.
        file_system_cache_size: u32 = 256, "FileSystem_CacheSize", count;
        /// The collector is off.
        peripheral_disabled: bool = false, "Peripheral_Disabled", flag;
        /// How soon its events are sent.
        peripheral_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Peripheral_MessageFrequency", frequency;
        /// Events kept between two messages; 1 … 4294967295.
        peripheral_cache_size: u32 = 256, "Peripheral_CacheSize", count;
        /// The collector is off.
        statistics_disabled: bool = false, "Statistics_Disabled", flag;
        /// How soon its events are sent.
        statistics_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Statistics_MessageFrequency", frequency;
        /// Events kept between two messages; 1 … 4294967295.
        statistics_cache_size: u32 = 256, "Statistics_CacheSize", count;
    }
}

impl MicroAgentConfiguration {
    /// The flat JSON form: every key with its value, `null` for a text that is not set.
    #[must_use]
    pub fn to_json(&self) -> Value {
        layout::to_json(self)
    }
}

impl Layout for MicroAgentConfiguration {
    const KEYS: &'static [Key<Self>] = KEYS;

    fn warnings(&self) -> Vec<Warning> {
        let intervals = self.collectors_core_priority_intervals;
        if intervals.are_multiples() {
            return Vec::new();
        }
        vec![Warning {
            key: "CollectorsCore_PriorityIntervals".to_owned(),
            kind: ErrorKind::NotOptimal,
            used: intervals.to_string(),
            message: "CollectorsCore_PriorityIntervals: each interval should be a multiple of \
                      the one before"
                .to_owned(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::{
        Acceptance, AgentOptions, Configurator, Effective, EvaluationState, Profile, Verdict,
    };

    fn micro(desired: &Value) -> (Verdict, Configurator) {
        let options = AgentOptions::default().with_profile(Profile::MicroAgent);
        let mut configurator = Configurator::new(options);
        let verdict = configurator.evaluate(desired, None);
        (verdict, configurator)
    }

    #[test]
    fn the_micro_agent_profile_reads_flat_keys() {
        let (verdict, configurator) = micro(&json!({
            "CollectorsCore_PriorityIntervals": "60,120,480",
            "SystemInformation_HardwareVendor": "Contoso",
            "Process_Mode": 3,
            "Process_PollingInterval": 200_000.0,
            "FileSystem_Recursive": false,
            "NetworkActivity_Devices": "",
            "FileSystem_Paths": "/etc,/usr",
            "Login_UsePAM": null,
            "$version": 7,
            "$metadata": {},
            "SystemInformation_PriorityFrequency": "Low",
        }));
        assert_eq!(verdict, Verdict::Applied);
        let evaluation = configurator.evaluation();
        let configuration = evaluation.effective.micro_agent().unwrap();
        assert_eq!(configuration.collectors_core_priority_intervals.low, 480);
        assert_eq!(configuration.process_mode, ProcessMode::Polling);
        assert_eq!(configuration.process_polling_interval, 200_000);
        assert_eq!(configuration.network_activity_devices, "eth0");
        assert!(!configuration.file_system_recursive);
        assert_eq!(evaluation.unknown, ["SystemInformation_PriorityFrequency"]);
        assert_eq!(
            configurator.reported(),
            json!({ "latest_state": "success", "latest_invalid_fields": [] })
        );
        let pointers: Vec<_> = evaluation.properties.iter().map(|it| &it.pointer).collect();
        assert!(pointers.contains(&&"/Process_Mode".to_owned()));
        assert_eq!(evaluation.effective.agent(), None);
    }

    #[test]
    fn the_micro_agent_defaults_are_the_documented_ones() {
        let documented = r#"{
                "CollectorsCore_PriorityIntervals": "30,120,1440",
                "Baseline_Disabled": false, "Baseline_MessageFrequency": "Low",
                "Baseline_GroupsDisabled": null, "Baseline_ChecksDisabled": null,
                "SystemInformation_Disabled": false, "SystemInformation_MessageFrequency": "Low",
                "SystemInformation_HardwareVendor": null, "SystemInformation_HardwareModel": null,
                "SystemInformation_HardwareSerialNumber": null,
                "SystemInformation_FirmwareVendor": null, "SystemInformation_FirmwareVersion": null,
                "SBoM_Disabled": false, "SBoM_MessageFrequency": "Low",
                "Heartbeat_Disabled": false, "Heartbeat_MessageFrequency": "Low",
                "Login_Disabled": false, "Login_MessageFrequency": "Medium", "Login_UsePAM": false,
                "IothubModule_MessageTimeout": 2880,
                "NetworkActivity_Disabled": false, "NetworkActivity_MessageFrequency": "Medium",
                "NetworkActivity_Devices": "eth0", "NetworkActivity_CacheSize": 256,
                "NetworkActivity_PacketBufferSize": 2097152,
                "Process_Disabled": false, "Process_MessageFrequency": "Medium",
                "Process_PollingInterval": 100000, "Process_Mode": 1, "Process_CacheSize": 256,
                "LogCollector_Disabled": false, "LogCollector_MessageFrequency": "Low",
                "FileSystem_Disabled": false, "FileSystem_MessageFrequency": "Low",
                "FileSystem_Recursive": true, "FileSystem_Paths": null, "FileSystem_CacheSize": 256,
                "Peripheral_Disabled": false, "Peripheral_MessageFrequency": "Low",
                "Peripheral_CacheSize": 256,
                "Statistics_Disabled": false, "Statistics_MessageFrequency": "Low",
                "Statistics_CacheSize": 256
            }"#;
        let documented: Value = serde_json::from_str(documented).unwrap();
        assert_eq!(MicroAgentConfiguration::default().to_json(), documented);
    }

    #[test]
    fn the_micro_agent_names_its_invalid_fields_and_follows_acceptance() {
        let desired = json!({
            "Login_MessageFrequency": "Off",
            "Process_CacheSize": 0,
            "Heartbeat_Disabled": true,
            "Login_Disabled": "True",
        });
        let (verdict, configurator) = micro(&desired);
        assert_eq!(verdict, Verdict::Rejected);
        let defaults = MicroAgentConfiguration::default();
        assert_eq!(
            configurator.evaluation().effective,
            Effective::MicroAgent(defaults)
        );
        assert_eq!(
            configurator.reported(),
            json!({
                "latest_state": "failed",
                "latest_invalid_fields": [
                    "Login_Disabled", "Login_MessageFrequency", "Process_CacheSize",
                ],
            })
        );
        let options = AgentOptions::default()
            .with_profile(Profile::MicroAgent)
            .with_acceptance(Acceptance::PerProperty);
        let mut configurator = Configurator::new(options);
        assert_eq!(configurator.evaluate(&desired, None), Verdict::Applied);
        let evaluation = configurator.evaluation();
        assert!(
            evaluation
                .effective
                .micro_agent()
                .unwrap()
                .heartbeat_disabled
        );
        assert_eq!(evaluation.state, EvaluationState::Failed);
    }

    #[test]
    fn micro_agent_intervals_that_are_no_multiples_are_not_optimal() {
        let (verdict, configurator) =
            micro(&json!({ "CollectorsCore_PriorityIntervals": "50,120,1440" }));
        assert_eq!(verdict, Verdict::Applied);
        let warnings = &configurator.evaluation().warnings;
        assert_eq!(warnings[0].kind, ErrorKind::NotOptimal);
        assert_eq!(warnings[0].used, "50,120,1440");
    }
}
