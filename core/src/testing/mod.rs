//! A hub, a network and a host that exist only in memory, for tests. Never in a shipped library.
//!
//! [`World`] holds one [`Module`](crate::module::Module), drives it as a driver would, and plays
//! the network and the hub around it. Time is virtual and jumps to the next thing that happens, so
//! hours pass in milliseconds, and everything follows from one seed: the same seed replays the same
//! history.
//!
//! [`SimHub`] is written from the public description of IoT Hub and shares no code with the engine,
//! so that a mistake in one does not hide in the other. [`HostView`] is a host that knows only what
//! it was told, and panics when it is told something that cannot be.
//!
//! ```
//! use serde_json::json;
//! use twinguard_core::testing::World;
//!
//! let mut world = World::new(7);
//! world.connect();
//! world.run_for(1_000);
//! world.hub.patch_desired(world.client_id(), json!({"colour": "blue"}));
//! world.run_for(1_000);
//! assert_eq!(world.host.desired, json!({"colour": "blue"}));
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test kit: a broken assumption has to stop the test, and its numbers are small"
)]

mod host;
mod hub;
mod profile;
mod world;

pub use host::HostView;
pub use hub::{Answer, SimHub, SimTwin};
pub use profile::Profile;
pub use world::World;
