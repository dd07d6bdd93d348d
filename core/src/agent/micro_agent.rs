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
        /// : minutes between messages, per frequency.
        collectors_core_priority_intervals: PriorityIntervals =
            PriorityIntervals { high: 30, medium: 120, low: 1440 },
            "CollectorsCore_PriorityIntervals", intervals;
        /// : the collector is off.
        baseline_disabled: bool = false, "Baseline_Disabled", flag;
        /// : how soon its events are sent.
        baseline_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Baseline_MessageFrequency", frequency;
        /// : list of baseline groups that are not checked.
        baseline_groups_disabled: Option<String> =
            None, "Baseline_GroupsDisabled", text_unless_empty;
        /// : list of baseline checks that are not made.
        baseline_checks_disabled: Option<String> =
            None, "Baseline_ChecksDisabled", text_unless_empty;
        /// : the collector is off.
        system_information_disabled: bool = false, "SystemInformation_Disabled", flag;
        /// : how soon its events are sent.
        system_information_message_frequency: MessageFrequency =
            MessageFrequency::Low, "SystemInformation_MessageFrequency", frequency;
        /// : told instead of the detected one.
        system_information_hardware_vendor: Option<String> =
            None, "SystemInformation_HardwareVendor", text_unless_empty;
        /// : told instead of the detected one.
        system_information_hardware_model: Option<String> =
            None, "SystemInformation_HardwareModel", text_unless_empty;
        /// : told instead of the detected one.
        system_information_hardware_serial_number: Option<String> =
            None, "SystemInformation_HardwareSerialNumber", text_unless_empty;
        /// : told instead of the detected one.
        system_information_firmware_vendor: Option<String> =
            None, "SystemInformation_FirmwareVendor", text_unless_empty;
        /// : told instead of the detected one.
        system_information_firmware_version: Option<String> =
            None, "SystemInformation_FirmwareVersion", text_unless_empty;
        /// : the collector (software bill of materials) is off.
        sbom_disabled: bool = false, "SBoM_Disabled", flag;
        /// : how soon its events are sent.
        sbom_message_frequency: MessageFrequency =
            MessageFrequency::Low, "SBoM_MessageFrequency", frequency;
        /// : the event is not sent.
        heartbeat_disabled: bool = false, "Heartbeat_Disabled", flag;
        /// : how soon it is sent.
        heartbeat_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Heartbeat_MessageFrequency", frequency;
        /// : the collector is off.
        login_disabled: bool = false, "Login_Disabled", flag;
        /// : how soon its events are sent.
        login_message_frequency: MessageFrequency =
            MessageFrequency::Medium, "Login_MessageFrequency", frequency;
        /// : take login events from PAM.
        login_use_pam: bool = false, "Login_UsePAM", flag;
        /// : minutes a message may wait to be sent; 1 … 4294967295.
        iothub_module_message_timeout: u32 = 2880, "IothubModule_MessageTimeout", count;
        /// : the collector is off.
        network_activity_disabled: bool = false, "NetworkActivity_Disabled", flag;
        /// : how soon its events are sent.
        network_activity_message_frequency: MessageFrequency =
            MessageFrequency::Medium, "NetworkActivity_MessageFrequency", frequency;
        /// : list of network devices to watch.
        network_activity_devices: String = default_devices(), "NetworkActivity_Devices", devices;
        /// : events kept between two messages; 1 … 4294967295.
        network_activity_cache_size: u32 = 256, "NetworkActivity_CacheSize", count;
        /// : bytes of capture buffer per device and direction; 1 … 4294967295.
        network_activity_packet_buffer_size: u32 =
            2_097_152, "NetworkActivity_PacketBufferSize", count;
        /// : the collector is off.
        process_disabled: bool = false, "Process_Disabled", flag;
        /// : how soon its events are sent.
        process_message_frequency: MessageFrequency =
            MessageFrequency::Medium, "Process_MessageFrequency", frequency;
        /// : microseconds between two looks in polling mode; 1 … 4294967295.
        process_polling_interval: u32 = 100_000, "Process_PollingInterval", count;
        /// : how processes are watched.
        process_mode: ProcessMode = ProcessMode::Auto, "Process_Mode", process_mode;
        /// : events kept between two messages; 1 … 4294967295.
        process_cache_size: u32 = 256, "Process_CacheSize", count;
        /// : the collector is off.
        log_collector_disabled: bool = false, "LogCollector_Disabled", flag;
        /// : how soon its events are sent.
        log_collector_message_frequency: MessageFrequency =
            MessageFrequency::Low, "LogCollector_MessageFrequency", frequency;
        /// : the collector is off.
        file_system_disabled: bool = false, "FileSystem_Disabled", flag;
        /// : how soon its events are sent.
        file_system_message_frequency: MessageFrequency =
            MessageFrequency::Low, "FileSystem_MessageFrequency", frequency;
        /// : watch the folders below too.
        file_system_recursive: bool = true, "FileSystem_Recursive", flag;
        /// : list of paths to watch.
        file_system_paths: Option<String> = None, "FileSystem_Paths", text_unless_empty;
        /// : events kept between two messages; 1 … 4294967295.
        file_system_cache_size: u32 = 256, "FileSystem_CacheSize", count;
        /// : the collector is off.
        peripheral_disabled: bool = false, "Peripheral_Disabled", flag;
        /// : how soon its events are sent.
        peripheral_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Peripheral_MessageFrequency", frequency;
        /// : events kept between two messages; 1 … 4294967295.
        peripheral_cache_size: u32 = 256, "Peripheral_CacheSize", count;
        /// : the collector is off.
        statistics_disabled: bool = false, "Statistics_Disabled", flag;
        /// : how soon its events are sent.
        statistics_message_frequency: MessageFrequency =
            MessageFrequency::Low, "Statistics_MessageFrequency", frequency;
        /// : events kept between two messages; 1 … 4294967295.
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
