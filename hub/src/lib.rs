//! twinguard-hub
