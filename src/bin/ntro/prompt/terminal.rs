use secrecy::SecretString;

use super::editor::{Editor, looks_like_key};
use super::key::Key;
use super::keyboard::{Keyboard, size};
use super::screen::{Menu, Question, write};
use super::{Check, Choice, Line, Prompter, Stop, yes_or_no};
use crate::error::CliError;
use crate::output::{Paint, plain};

/// A prompter for the terminal of this process.
pub(super) struct Terminal {
    paint: Paint,
}

impl Terminal {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint }
    }

    /// Reads one line, shown in at least `room` columns. A hidden one leaves the screen as it is.
    fn read(
        &self,
        keyboard: &mut Keyboard,
        question: &str,
        answer: &mut Editor,
        room: Option<usize>,
    ) -> Result<(), Stop> {
        let show = || Question::show(question, size().0, room.unwrap_or(0), self.paint);
        let mut shown = show();
        loop {
            // Draws a paste in one piece, so that no part of a pasted key appears.
            if room.is_some() && !keyboard.has_more() {
                shown.answer(answer);
            }
            match keyboard.key()? {
                Key::Enter => {
                    if room.is_some() {
                        shown.answer(answer);
                    }
                    write("\n");
                    return Ok(());
                }
                Key::Redraw => {
                    if room.is_none() {
                        // A person does not remember what was hidden.
                        *answer = Editor::new("");
                    }
                    shown = show();
                }
                Key::Resize => {
                    shown.rewind(size().0);
                    shown = show();
                }
                key => answer.apply(stopping(key)?),
            }
        }
    }

    /// Asks for a line that begins with the text of `editor`, until it is valid.
    fn valid_line(
        &self,
        keyboard: &mut Keyboard,
        line: Line<'_>,
        mut editor: Editor,
        check: &Check<'_>,
    ) -> Result<String, Stop> {
        let question = match line.default {
            Some(default) => format!("{} [{default}]:", line.question),
            None => format!("{}:", line.question),
        };
        loop {
            self.read(keyboard, &question, &mut editor, Some(12))?;
            let answer = match (editor.text().trim(), line.default) {
                ("", Some(default)) => default,
                (text, _) => text,
            };
            let (offered, problem) = match looks_like_key(answer) {
                true => (
                    "",
                    "this looks like an API key, which is not asked for here".to_owned(),
                ),
                false => match check(answer) {
                    Ok(()) => return Ok(answer.to_owned()),
                    Err(problem) => (answer, problem),
                },
            };
            editor = Editor::new(offered);
            self.refuse(keyboard, &problem);
        }
    }

    /// Asks for one of several items. With `typing`, returns the key that begins a line; otherwise
    /// text chooses nothing, and neither does its line break.
    fn pick(
        &self,
        keyboard: &mut Keyboard,
        question: &str,
        items: &[String],
        default: usize,
        typing: bool,
    ) -> Result<Picked, Stop> {
        let show = || {
            let area = size();
            let question = Question::show(question, area.0, 0, self.paint);
            (question, Menu::new(items, area, self.paint))
        };
        let (mut shown, mut menu) = show();
        let mut chosen = default;
        let mut is_text = false;
        loop {
            if !keyboard.has_more() {
                menu.draw(&shown, chosen);
            }
            match keyboard.key()? {
                Key::Enter if !is_text => {
                    menu.close(chosen);
                    return Ok(Picked::Item(chosen));
                }
                Key::Enter => {
                    keyboard.discard();
                    write("\x07");
                    is_text = false;
                }
                Key::Up => chosen = chosen.checked_sub(1).unwrap_or(items.len() - 1),
                Key::Down | Key::Char('\t') => chosen = (chosen + 1) % items.len(),
                Key::Home => chosen = 0,
                Key::End => chosen = items.len() - 1,
                key @ (Key::Char(_) | Key::Paste(_)) if typing => {
                    shown.rewind(size().0);
                    return Ok(Picked::Typing(chosen, key));
                }
                Key::Char(_) => is_text = true,
                Key::Redraw => (shown, menu) = show(),
                Key::Resize => {
                    shown.rewind(size().0);
                    (shown, menu) = show();
                }
                key => drop(stopping(key).inspect_err(|_| write("\x1b[J"))?),
            }
        }
    }

    /// Asks a yes-or-no question until it is answered, or `withdrawn` becomes readable.
    #[cfg(unix)]
    pub(super) fn confirm_until(
        &self,
        withdrawn: std::os::fd::OwnedFd,
        question: &str,
    ) -> Result<bool, Stop> {
        self.yes_or_no(&mut Keyboard::open_until(withdrawn)?, question)
    }

    fn yes_or_no(&self, keyboard: &mut Keyboard, question: &str) -> Result<bool, Stop> {
        let question = format!("{question} (y/n)");
        loop {
            let mut editor = Editor::new("");
            self.read(keyboard, &question, &mut editor, Some(4))?;
            match yes_or_no(editor.text()) {
                Some(answer) => return Ok(answer),
                None => self.refuse(keyboard, "type `y` or `n`, then press Enter"),
            }
        }
    }

    /// Reports an invalid answer, and discards the rest of a paste that gave it.
    fn refuse(&self, keyboard: &mut Keyboard, problem: &str) {
        keyboard.discard();
        write(&format!("  {}\n", plain(problem)));
    }
}

impl Prompter for Terminal {
    fn is_interactive(&self) -> bool {
        true
    }

    fn line(&self, line: Line<'_>, check: &Check<'_>) -> Result<String, Stop> {
        let mut keyboard = Keyboard::open()?;
        let editor = Editor::new(line.typed.unwrap_or_default());
        self.valid_line(&mut keyboard, line, editor, check)
    }

    fn secret(&self, question: &str, check: &Check<'_>) -> Result<SecretString, Stop> {
        let mut keyboard = Keyboard::open()?;
        let question = format!("{question}:");
        loop {
            let mut editor = Editor::new("");
            self.read(&mut keyboard, &question, &mut editor, None)?;
            match check(editor.text()) {
                Ok(()) => return Ok(SecretString::from(editor.text())),
                Err(problem) => self.refuse(&mut keyboard, &problem),
            }
        }
    }

    fn choose(
        &self,
        line: Line<'_>,
        items: &[String],
        default: usize,
        check: &Check<'_>,
    ) -> Result<Choice, Stop> {
        let mut keyboard = Keyboard::open()?;
        let question = format!("{} (arrow keys, then Enter; or type it)", line.question);
        let mut chosen = default;
        loop {
            match self.pick(&mut keyboard, &question, items, chosen, true)? {
                Picked::Item(item) => return Ok(Choice::Item(item)),
                Picked::Typing(item, key) => {
                    chosen = item;
                    let editor = Editor::typing(key);
                    match self.valid_line(&mut keyboard, line, editor, check) {
                        Err(Stop::Back) => {}
                        typed => return Ok(Choice::Line(typed?)),
                    }
                }
            }
        }
    }

    fn select(&self, question: &str, items: &[String], default: usize) -> Result<usize, Stop> {
        let mut keyboard = Keyboard::open()?;
        let question = format!("{question} (arrow keys, then Enter)");
        match self.pick(&mut keyboard, &question, items, default, false)? {
            Picked::Item(item) | Picked::Typing(item, _) => Ok(item),
        }
    }

    fn confirm(&self, question: &str) -> Result<bool, Stop> {
        self.yes_or_no(&mut Keyboard::open()?, question)
    }
}

/// An action of a person at a menu.
enum Picked {
    Item(usize),
    /// Begins a line with this key, while an item is marked.
    Typing(usize, Key),
}

/// Returns a key that does not end the question.
fn stopping(key: Key) -> Result<Key, Stop> {
    let stop = match key {
        Key::Escape => Stop::Back,
        #[cfg(unix)]
        Key::Withdrawn => Stop::Withdrawn,
        Key::Interrupt | Key::EndOfInput => Stop::Failed(CliError::cancelled()),
        key => return Ok(key),
    };
    write("\n");
    Err(stop)
}
