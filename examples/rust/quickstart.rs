//! Follow a module twin: print the configuration in force and each change of the desired section.

use std::error::Error;
use std::time::Duration;

use serde_json::json;
use twinguard_client::{ClientOptions, Event, RootMode};

fn main() -> Result<(), Box<dyn Error>> {
    let mut options =
        ClientOptions::from_connection_string(&std::env::var("TWINGUARD_CONNECTION_STRING")?)?;
    // For a hub with a certificate of its own, such as the local one.
    if let Ok(file) = std::env::var("TWINGUARD_CA") {
        options.root_certificates_pem(&std::fs::read(file)?, RootMode::Replace)?;
    }
    let client = options.build()?;
    client.connect()?;
    client.patch_reported(&json!({"firmware": "1.0.3"}))?;
    loop {
        match client.next_event(Duration::from_secs(3600))? {
            Some(Event::Desired(change)) => {
                for change in change.changes() {
                    println!("{}: {:?} -> {:?}", change.pointer, change.old, change.new);
                }
            }
            Some(Event::Configuration(evaluation)) => {
                if let Some(configuration) = evaluation.effective.agent() {
                    let frequency = configuration.high_priority_message_frequency;
                    println!("send urgent events every {frequency}");
                }
            }
            _ => {}
        }
    }
}
