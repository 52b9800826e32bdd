//! The unmodified official clients against our authority, and with our files.
