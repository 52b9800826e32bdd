//! Several questions in a row, which Esc goes back through.

use super::Stop;

/// An answer, and whether a person was asked for it.
#[derive(Debug)]
pub(crate) struct Asked<T> {
    pub(crate) answer: T,
    pub(crate) is_asked: bool,
}

impl<T> Asked<T> {
    /// An answer by a person.
    pub(crate) fn now(answer: T) -> Self {
        Self {
            answer,
            is_asked: true,
        }
    }

    /// An answer that was known without a question.
    pub(crate) fn before(answer: T) -> Self {
        Self {
            answer,
            is_asked: false,
        }
    }
}

/// Gets one answer and goes on with it. Esc at the next question asks this one again, unless it was
/// not asked either.
pub(crate) fn walk<A, T>(
    mut ask: impl FnMut() -> Result<Asked<A>, Stop>,
    mut then: impl FnMut(A) -> Result<T, Stop>,
) -> Result<T, Stop> {
    loop {
        let Asked { answer, is_asked } = ask()?;
        match then(answer) {
            Err(Stop::Back) if is_asked => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn back_skips_what_was_not_asked() {
        let asked = RefCell::new(Vec::new());
        let ask = |name: &'static str| {
            asked.borrow_mut().push(name);
            Ok(Asked::now(name))
        };
        let mut last = [Err(Stop::Back), Err(Stop::Back), Ok("done")].into_iter();
        let done = walk(
            || ask("first"),
            |_| {
                walk(
                    || Ok(Asked::before("known")),
                    |_| walk(|| ask("last"), |_| last.next().unwrap_or(Err(Stop::Back))),
                )
            },
        );
        assert_eq!(done.ok(), Some("done"));
        assert_eq!(*asked.borrow(), ["first", "last", "last", "last"]);

        asked.borrow_mut().clear();
        let mut answers = [Err(Stop::Back), Ok("done")].into_iter();
        let done = walk(
            || ask("first"),
            |_| {
                walk(
                    || Ok(Asked::before("known")),
                    |_| answers.next().unwrap_or(Err(Stop::Back)),
                )
            },
        );
        assert_eq!(done.ok(), Some("done"));
        assert_eq!(*asked.borrow(), ["first", "first"]);
    }
}
