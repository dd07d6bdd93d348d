//! Writing to a socket without `SIGPIPE`. Nothing else of the crate is used here, so that a test in
//! a process of its own can include this file.

use std::io::{self, IoSlice, Write};

use mio::net::TcpStream;
use nix::libc::MSG_NOSIGNAL;
use socket2::SockRef;

/// Writes with `sendmsg(MSG_NOSIGNAL)`: rustls writes with `writev`, and a peer that has closed
/// would then end a host that leaves SIGPIPE at its default.
pub(crate) struct Quiet<'a>(pub(crate) &'a TcpStream);

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(self.0).send_with_flags(bytes, MSG_NOSIGNAL)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(self.0).send_vectored_with_flags(buffers, MSG_NOSIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
