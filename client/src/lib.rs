//! twinguard-client
