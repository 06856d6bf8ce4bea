//! Reading a signed request as leniently as CCF does: any tagged COSE_Sign1 with the headers that it needs.

use ciborium::value::Value;

use crate::sandbox::reply::Fault;

const COSE_SIGN1: u64 = 18;

/// A signed request, taken apart. Nothing in it is verified yet.
pub(super) struct SignedRequest {
    pub(super) alg: i64,
    pub(super) kid: String,
    pub(super) kind: Option<String>,
    pub(super) created_at: u64,
    pub(super) proposal_id: Option<String>,
    pub(super) protected: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl SignedRequest {
    /// Takes a request's body apart. CCF answers 500 to what it cannot read, and so does this.
    pub(super) fn read(body: &[u8]) -> Result<Self, Fault> {
        let outer = || Fault::internal("The request body is not a COSE_Sign1 array.");
        let mut rest = body;
        let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, 16).map_err(|_| outer())?;
        if !rest.is_empty() {
            return Err(Fault::internal("The COSE_Sign1 message is followed by other bytes."));
        }
        let parts = match value {
            Value::Tag(COSE_SIGN1, inner) => inner.into_array().map_err(|_| outer())?,
            Value::Array(_) | Value::Tag(..) => return Err(Fault::internal("The COSE_Sign1 message is not tagged.")),
            _ => return Err(outer()),
        };
        let [Value::Bytes(protected), Value::Map(_), Value::Bytes(payload), Value::Bytes(signature)] = &parts[..]
        else {
            return Err(Fault::internal("The COSE_Sign1 message could not be decoded."));
        };
        let header = Header::read(protected)?;
        let integer = |name: Name| match header.get(name) {
            None => Ok(None),
            Some(Value::Integer(number)) => i64::try_from(*number).map(Some).map_err(|_| wrong(name)),
            Some(_) => Err(wrong(name)),
        };
        let text = |name: Name| match header.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name)),
        };
        let created_at = integer(Name::Text("ccf.gov.msg.created_at"))?;
        let kid = match header.get(Name::Number(4)) {
            None => None,
            Some(Value::Bytes(kid)) => Some(String::from_utf8_lossy(kid).into_owned()),
            Some(_) => return Err(wrong(Name::Number(4))),
        };
        let (kind, proposal_id) = (text(Name::Text("ccf.gov.msg.type"))?, text(Name::Text("ccf.gov.msg.proposal_id"))?);
        let missing = |what: &str| Fault::internal(format!("The protected header has no {what}."));
        Ok(Self {
            alg: integer(Name::Number(1))?.ok_or_else(|| missing("algorithm"))?,
            kid: kid.ok_or_else(|| missing("kid"))?,
            created_at: u64::try_from(created_at.ok_or_else(|| missing("created_at"))?)
                .map_err(|_| Fault::internal("The protected header's created_at is negative."))?,
            kind,
            proposal_id,
            protected: protected.clone(),
            payload: payload.clone(),
            signature: signature.clone(),
        })
    }

    /// The bytes that were signed.
    pub(super) fn to_be_signed(&self) -> Result<Vec<u8>, Fault> {
        let parts = vec![
            Value::Text("Signature1".into()),
            Value::Bytes(self.protected.clone()),
            Value::Bytes(Vec::new()),
            Value::Bytes(self.payload.clone()),
        ];
        let mut bytes = Vec::with_capacity(self.protected.len() + self.payload.len() + 32);
        ciborium::into_writer(&Value::Array(parts), &mut bytes).map_err(|e| Fault::internal(e.to_string()))?;
        Ok(bytes)
    }
}

#[derive(Clone, Copy)]
enum Name {
    Number(i64),
    Text(&'static str),
}

struct Header(Vec<(Value, Value)>);

impl Header {
    fn read(protected: &[u8]) -> Result<Self, Fault> {
        let broken = || Fault::internal("The protected header could not be decoded.");
        let mut rest = protected;
        let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, 16).map_err(|_| broken())?;
        if !rest.is_empty() {
            return Err(broken());
        }
        value.into_map().map(Self).map_err(|_| broken())
    }

    fn get(&self, name: Name) -> Option<&Value> {
        let is = |label: &Value| match name {
            Name::Number(number) => *label == Value::from(number),
            Name::Text(text) => label.as_text() == Some(text),
        };
        self.0.iter().find(|(label, _)| is(label)).map(|(_, value)| value)
    }
}

fn wrong(name: Name) -> Fault {
    Fault::internal(match name {
        Name::Number(number) => format!("The protected header could not be decoded: label {number} has another type."),
        Name::Text(text) => format!("The protected header could not be decoded: {text} has another type."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tagged_sign1_is_an_internal_error() {
        for bad in
            [&b"{\"actions\":[]}"[..], b"", b"\xd2\x80", b"\x84\x40\xa0\x40\x40", b"\xd2\x84\x41\xa0\xa0\x40\x40\x00"]
        {
            assert_eq!(SignedRequest::read(bad).err().unwrap().status, 500, "{bad:?}");
        }
        let deep = [vec![0xd2], vec![0x81; 10_000]].concat();
        assert_eq!(SignedRequest::read(&deep).err().unwrap().status, 500);
    }
}
