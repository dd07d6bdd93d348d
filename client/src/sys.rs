//! The few things the standard library does not offer: a clock that goes on while the machine
//! sleeps, a timer on that clock, a descriptor that says "events wait", the signal mask.
//! Everything that is Linux and not POSIX is in this file.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::clock_gettime;
use twinguard_core::module::Now;

/// Both clocks. `CLOCK_BOOTTIME` goes on during suspend, so that a machine that wakes up finds
/// its keep-alive and its token overdue at once and not hours later.
pub(crate) fn now() -> Now {
    let unix = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        mono_ms: mono_ms(),
        unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
    }
}

fn mono_ms() -> u64 {
    let clock = nix::time::ClockId::CLOCK_BOOTTIME;
    // Reading these clocks cannot fail on a kernel that runs Rust's standard library (2.6.39 has
    // CLOCK_BOOTTIME); zero would only stop the timers.
    let time = clock_gettime(clock).map(Duration::from).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A timer that makes its descriptor readable at a time of [`now`], also right after a suspend
/// (the time-out of `epoll_wait` stands still meanwhile).
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: TimerFd,
    armed: Option<u64>,
}

impl Alarm {
    pub(crate) fn new() -> Result<Self, Errno> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Self {
            timer: TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?,
            armed: None,
        })
    }

    /// Sets the time, or none. A time that has passed fires at once.
    pub(crate) fn arm(&mut self, at_ms: Option<u64>) -> Result<(), Errno> {
        if at_ms == self.armed {
            return Ok(());
        }
        match at_ms {
            // An absolute time of zero would disarm the timer.
            Some(at) => self.timer.set(
                Expiration::OneShot(TimeSpec::from_duration(Duration::from_millis(at.max(1)))),
                TimerSetTimeFlags::TFD_TIMER_ABSTIME,
            )?,
            None => self.timer.unset()?,
        }
        self.armed = at_ms;
        Ok(())
    }

    /// The timer has fired: the next `arm` sets it anew even for the same time. Nothing is read,
    /// because setting the timer empties it.
    pub(crate) fn fired(&mut self) {
        self.armed = None;
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }
}

/// A descriptor that is readable exactly while it is raised.
#[derive(Debug)]
pub(crate) struct Flag {
    event: EventFd,
    raised: AtomicBool,
}

impl Flag {
    pub(crate) fn new() -> Result<Self, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            event: EventFd::from_value_and_flags(0, flags)?,
            raised: AtomicBool::new(false),
        })
    }

    /// Raises or lowers it; calls must not overlap. Writing 1 to a counter of 0 and reading a
    /// counter of 1 cannot block or fail.
    pub(crate) fn set(&self, raised: bool) {
        if raised == self.raised.load(Ordering::Relaxed) {
            return;
        }
        let done = if raised {
            self.event.write(1).is_ok()
        } else {
            self.event.read().is_ok()
        };
        if done {
            self.raised.store(raised, Ordering::Relaxed);
        }
    }
}

impl AsFd for Flag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Runs `spawn` with signals blocked, so that the thread it starts never runs a handler of the
/// host, and restores the mask of the caller. Faults of the thread itself stay open: blocked, the
/// kernel would end the process without asking the host's crash handler.
pub(crate) fn with_signals_blocked<T>(spawn: impl FnOnce() -> T) -> Result<T, Errno> {
    let mut blocked = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGTRAP,
    ] {
        blocked.remove(fault);
    }
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let result = spawn();
    before.thread_set_mask()?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_the_caller_is_restored() {
        let before = SigSet::thread_get_mask().unwrap();
        let inside = with_signals_blocked(|| SigSet::thread_get_mask().unwrap()).unwrap();
        assert!(inside.contains(Signal::SIGTERM) && inside.contains(Signal::SIGALRM));
        assert!(!inside.contains(Signal::SIGSEGV));
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    }

    #[test]
    fn time_goes_forward() {
        let first = now();
        std::thread::sleep(Duration::from_millis(3));
        let second = now();
        assert!(second.mono_ms > first.mono_ms);
        assert!(second.unix_ms > 1_700_000_000_000);
    }
}
