//! The border: what each entry point does before and after its own work.

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use twinguard_client::ErrorKind;

use crate::error::{Failure, twinguard_error};
use crate::status::{OK, twinguard_status};

/// The last parameter of a fallible entry point.
pub(crate) type ErrorOut<'a> = Option<&'a mut MaybeUninit<Option<Box<twinguard_error>>>>;

/// Runs a fallible entry point: the status goes back, the detail to `error` if the caller wants it.
pub(crate) fn call(
    error: ErrorOut<'_>,
    body: impl FnOnce() -> Result<(), Failure>,
) -> twinguard_status {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|p| Err(panicked(&*p)));
    let (status, detail) = match result {
        Ok(()) => (OK, None),
        Err(failure) => (failure.code(), Some(failure)),
    };
    if let Some(error) = error {
        error.write(detail.map(|failure| Box::new(twinguard_error::from(failure))));
    }
    status
}

/// Runs an entry point that answers with a value; `fallback` is the answer after a panic.
pub(crate) fn value<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// Frees an object; a panic on the way out stays inside.
pub(crate) fn free<T>(object: Option<Box<T>>) {
    value((), || drop(object));
}

/// Answers an accessor of something that may be absent: the value through `out`, whether there is
/// one as the result.
pub(crate) fn put<T>(value: Option<T>, out: Option<&mut MaybeUninit<T>>) -> bool {
    match (value, out) {
        (Some(value), Some(out)) => {
            out.write(value);
            true
        }
        _ => false,
    }
}

/// A parameter that must not be NULL.
pub(crate) trait Required<T> {
    /// The parameter, or the failure that names it.
    fn required(self, name: &'static str) -> Result<T, Failure>;
}

impl<T> Required<T> for Option<T> {
    fn required(self, name: &'static str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::new(ErrorKind::NullArgument, format!("{name} is NULL")))
    }
}

/// An object that a panic in the middle of a call makes unusable.
pub(crate) struct Guarded<T> {
    value: T,
    poisoned: AtomicBool,
}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value,
            poisoned: AtomicBool::new(false),
        }
    }

    /// Works with the object, together with other calls that do the same.
    pub(crate) fn enter<R>(
        &self,
        body: impl FnOnce(&T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.check()?;
        catch_unwind(AssertUnwindSafe(|| body(&self.value))).unwrap_or_else(|payload| {
            self.poisoned.store(true, Ordering::Release);
            Err(panicked(&*payload))
        })
    }

    /// Works with the object alone.
    pub(crate) fn enter_mut<R>(
        &mut self,
        body: impl FnOnce(&mut T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.check()?;
        let value = &mut self.value;
        catch_unwind(AssertUnwindSafe(|| body(value))).unwrap_or_else(|payload| {
            self.poisoned.store(true, Ordering::Release);
            Err(panicked(&*payload))
        })
    }

    /// Takes the object out for good.
    pub(crate) fn into_inner(self) -> Result<T, Failure> {
        self.check()?;
        Ok(self.value)
    }

    fn check(&self) -> Result<(), Failure> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Failure::new(
                ErrorKind::Poisoned,
                "an earlier call on this object panicked; it can only be freed",
            ));
        }
        Ok(())
    }
}

/// The failure that stands for a panic; keeps its text.
fn panicked(payload: &(dyn Any + Send)) -> Failure {
    let text = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    Failure::new(ErrorKind::Panic, format!("panic: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::twinguard_statuses;

    fn caught(error: &mut MaybeUninit<Option<Box<twinguard_error>>>) -> Box<twinguard_error> {
        // SAFETY: `call` writes its error output in every case.
        unsafe { error.assume_init_read() }.expect("an error")
    }

    #[test]
    fn a_panic_becomes_a_status_and_keeps_its_text() {
        let mut error = MaybeUninit::uninit();
        let status = call(Some(&mut error), || panic!("of {}", "glass"));
        assert_eq!(status, twinguard_statuses::TWINGUARD_ERR_PANIC as i32);
        assert!(caught(&mut error).message().ends_with("of glass"));
        assert_eq!(value(7, || panic!("again")), 7);
    }

    #[test]
    fn a_panic_poisons_the_object_it_happened_in() {
        let mut object = Guarded::new(1);
        assert!(object.enter(|n| Ok(*n)).is_ok());
        assert!(
            object
                .enter(|_| -> Result<(), Failure> { panic!("glass") })
                .is_err()
        );
        for status in [
            object.enter(|_| Ok(())).unwrap_err().code(),
            object.enter_mut(|_| Ok(())).unwrap_err().code(),
            object.into_inner().unwrap_err().code(),
        ] {
            assert_eq!(status, twinguard_statuses::TWINGUARD_ERR_POISONED as i32);
        }
    }

    #[test]
    fn success_clears_the_error_output() {
        let mut error = MaybeUninit::uninit();
        assert_eq!(call(Some(&mut error), || Ok(())), OK);
        // SAFETY: `call` writes its error output in every case.
        assert!(unsafe { error.assume_init_read() }.is_none());
    }
}
