//! The MQTT dialect of IoT Hub: what goes into CONNECT, topics, property bags, status codes.
//!
//! Text in, text out; nothing here knows a connection.

pub mod bag;
pub mod connect;
pub mod status;
pub mod topic;
