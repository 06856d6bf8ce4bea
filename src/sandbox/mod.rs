//! A whole service in this process.
