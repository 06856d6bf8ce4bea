//! `C_Sign` of an operation that `C_SignInit` began.
//!
//! A key with `CKA_ALWAYS_AUTHENTICATE` wants a log-in between `C_SignInit` and `C_Sign`. `cryptoki` makes both calls in one
//! function, with no room between them, so for such a key, and for no other, the second call is made here.
//!
//! This is the only code of ccf-gov that is `unsafe`, which is why it has a package of its own. What is unsafe in it:
//!
//! 1. loading the module, which runs its initialisers ([`SignCall::load`]);
//! 2. calling its `C_GetFunctionList`, with a place for one pointer;
//! 3. reading the list of functions that this pointer names;
//! 4. calling its `C_Sign` with two buffers and their lengths ([`SignCall::sign`]).
//!
//! Nothing here contains a module that is hostile: it runs in this process, and may do what the process may.

use std::path::Path;

use cryptoki_sys::{
    CK_C_Sign, CK_FUNCTION_LIST_PTR, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKR_FUNCTION_NOT_SUPPORTED, CKR_OK, Pkcs11,
};

/// A module whose `C_Sign` can be called.
pub struct SignCall {
    c_sign: CK_C_Sign,
    /// Keeps the library loaded.
    _module: Pkcs11,
}

impl SignCall {
    /// Loads `module`, which `cryptoki` has loaded and initialised already: the system then only counts one more user.
    ///
    /// `None` if the module makes an instance of its own for each that asks, as p11-kit's proxy does: the one that
    /// `cryptoki` has, with its sessions, can't be called from elsewhere.
    pub fn load(module: &Path) -> Result<Option<Self>, Box<dyn std::error::Error + Send + Sync>> {
        // SAFETY: loading runs the library's initialisers. They have run already, since the module is in use.
        let module = unsafe { Pkcs11::new(module) }?;
        let Ok(get_function_list) = module.C_GetFunctionList else { return Err("it has no C_GetFunctionList".into()) };
        let ask = || {
            let mut list: CK_FUNCTION_LIST_PTR = std::ptr::null_mut();
            // SAFETY: `list` is a place for one pointer, as the function wants.
            let code = unsafe { get_function_list(&mut list) };
            if code == CKR_OK { Ok(list) } else { Err(format!("C_GetFunctionList failed ({code:#x})")) }
        };
        let list = ask()?;
        if ask()? != list {
            return Ok(None);
        }
        // SAFETY: after CKR_OK it is null or points to the module's own list, which stays while the module is loaded.
        let c_sign = unsafe { list.as_ref() }.and_then(|list| list.C_Sign);
        Ok(Some(Self { c_sign, _module: module }))
    }

    /// Signs `data` in `session`, where `C_SignInit` was called, into a buffer of `max` bytes.
    /// An error is the module's own code (`CKR_…`), or `None` for a signature that would be longer than its buffer.
    pub fn sign(&self, session: CK_SESSION_HANDLE, data: &[u8], max: usize) -> Result<Vec<u8>, Option<CK_RV>> {
        let Some(c_sign) = self.c_sign else { return Err(Some(CKR_FUNCTION_NOT_SUPPORTED)) };
        let mut signature = vec![0; max];
        let mut length = max as CK_ULONG;
        // SAFETY: both buffers outlive the call and have the lengths that go with them. The module does not write to
        // `data`; PKCS#11 only knows no const.
        let code = unsafe {
            c_sign(session, data.as_ptr().cast_mut(), data.len() as CK_ULONG, signature.as_mut_ptr(), &mut length)
        };
        match usize::try_from(length) {
            _ if code != CKR_OK => Err(Some(code)),
            Ok(length) if length <= max => {
                signature.truncate(length);
                Ok(signature)
            }
            _ => Err(None),
        }
    }
}
