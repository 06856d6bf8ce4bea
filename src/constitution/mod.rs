//! The rules, run locally: QuickJS, the `ccf` global, the key-value tables.
