//! Whose votes pass a proposal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::constitution::{Resolution, ScriptError};
use crate::id::MemberId;
use crate::kv::row::read;
use crate::kv::{Tables, table};

/// Up to so many members who have not voted, every set of them is tried.
const TRY_ALL: usize = 8;

/// Whose votes pass a proposal, beside those that are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// With the votes that are given, and no other.
    pub now: Resolution,
    /// How many votes are given.
    pub given: usize,
    /// How many active members could still vote.
    pub voters: usize,
    /// The fewest yes votes that pass it; `None` if none do.
    pub fewest: Option<usize>,
    /// So many yes votes pass it, whoever gives them; `None` if none do, or it was not found out.
    pub most: Option<usize>,
    /// Every smallest set of members whose yes passes it; `None` where there are too many members to try them all.
    pub accepted_with: Option<Vec<Vec<MemberId>>>,
    /// The members as groups that are alike, where not all sets were tried.
    pub groups: Vec<Group>,
    /// So many votes against it reject it, if nobody votes for it.
    pub rejected_by: Option<usize>,
    /// The members whose yes was counted until it was decided.
    pub deciding: Vec<MemberId>,
}

/// Members who are alike to the rules, as far as their rows tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Who they are.
    pub members: Vec<MemberId>,
    /// How many of them pass it alone; `None` if not even all do.
    pub alone: Option<usize>,
    /// How many of them are needed when all others vote yes; `None` if not even all are enough.
    pub with_all_others: Option<usize>,
    /// Whether the last of them count as the first do.
    pub even: bool,
}

type Votes = [(MemberId, bool)];

/// Tries votes of `active` members, beside those that are `given`.
///
/// # Errors
/// `resolve` fails.
pub(super) fn passing(
    tables: &Tables,
    active: &[MemberId],
    given: &BTreeMap<MemberId, bool>,
    mut resolve: impl FnMut(&Votes) -> Result<Resolution, ScriptError>,
) -> Result<Passing, ScriptError> {
    let free: Vec<MemberId> = active.iter().filter(|member| !given.contains_key(member)).copied().collect();
    let mut with = |votes: &mut dyn Iterator<Item = (MemberId, bool)>| {
        let all: Vec<_> = given.iter().map(|(member, vote)| (*member, *vote)).chain(votes).collect();
        resolve(&all)
    };
    let now = with(&mut [].into_iter())?;
    let mut passing = Passing {
        now,
        given: given.len(),
        voters: free.len(),
        fewest: None,
        most: None,
        accepted_with: None,
        groups: Vec::new(),
        rejected_by: None,
        deciding: Vec::new(),
    };
    if now != Resolution::Open {
        let accepted = now == Resolution::Accepted;
        passing.accepted_with = Some(if accepted { vec![vec![]] } else { vec![] });
        (passing.fewest, passing.most) = if accepted { (Some(0), Some(0)) } else { (None, None) };
        return Ok(passing);
    }
    let mut against = |count: usize| with(&mut free.iter().take(count).map(|member| (*member, false)));
    passing.rejected_by = first(free.len(), |count| Ok(against(count)? == Resolution::Rejected))?;
    let mut yes = |members: &[MemberId]| with(&mut members.iter().map(|member| (*member, true)));
    let decided = first(free.len(), |count| Ok(yes(&free[..count])? != Resolution::Open))?;
    passing.deciding = free[..decided.unwrap_or(free.len())].to_vec();
    let mut accepts = |members: &[MemberId]| Ok(yes(members)? == Resolution::Accepted);
    if free.len() <= TRY_ALL {
        try_all(&free, &mut passing, accepts)?;
        return Ok(passing);
    }
    for members in groups(tables, &free) {
        let others: Vec<MemberId> = free.iter().filter(|m| !members.contains(m)).copied().collect();
        let alone = first(members.len(), |count| accepts(&members[..count]))?;
        let with_all_others = match others.is_empty() {
            true => alone,
            false => first(members.len(), |count| accepts(&[&others, &members[..count]].concat()))?,
        };
        let even = match alone {
            Some(count) => {
                let last = |n: usize| &members[members.len() - n..];
                accepts(last(count))? && (count == 0 || !accepts(last(count - 1))?)
            }
            None => true,
        };
        passing.groups.push(Group { members, alone, with_all_others, even });
    }
    passing.fewest = match decided {
        Some(count) if accepts(&free[..count])? => {
            passing.groups.iter().filter_map(|group| group.alone).chain([count]).min()
        }
        _ => passing.groups.iter().filter_map(|group| group.alone).min(),
    };
    if let [group] = &passing.groups[..] {
        passing.most = group.alone.filter(|_| group.even);
    }
    Ok(passing)
}

/// The smallest count up to `most` for which something holds, if it holds for all above it as rules about majorities do.
fn first(most: usize, mut holds: impl FnMut(usize) -> Result<bool, ScriptError>) -> Result<Option<usize>, ScriptError> {
    if most <= 16 {
        for count in 0..=most {
            if holds(count)? {
                return Ok(Some(count));
            }
        }
        return Ok(None);
    }
    if !holds(most)? {
        return Ok(None);
    }
    let (mut below, mut at) = (0, most);
    if holds(0)? {
        return Ok(Some(0));
    }
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if holds(middle)? { at = middle } else { below = middle }
    }
    Ok(Some(at))
}

/// Every set of members, the smaller ones first; supersets of one that passes are left out.
fn try_all(
    free: &[MemberId],
    passing: &mut Passing,
    mut accepts: impl FnMut(&[MemberId]) -> Result<bool, ScriptError>,
) -> Result<(), ScriptError> {
    let mut sets: Vec<u32> = (0..1u32 << free.len()).collect();
    sets.sort_by_key(|set| (set.count_ones(), std::cmp::Reverse(set.reverse_bits())));
    let mut smallest: Vec<u32> = Vec::new();
    let members = |set: u32| -> Vec<MemberId> {
        free.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, member)| *member).collect()
    };
    let mut most = 0;
    for set in sets {
        if smallest.iter().any(|small| set & small == *small) {
            continue;
        }
        if accepts(&members(set))? {
            smallest.push(set);
        } else {
            most = most.max(set.count_ones() as usize + 1);
        }
    }
    passing.fewest = smallest.iter().map(|set| set.count_ones() as usize).min();
    passing.most = passing.fewest.is_some().then_some(most).filter(|most| *most <= free.len());
    passing.accepted_with = Some(smallest.into_iter().map(members).collect());
    Ok(())
}

/// The members whose rows are alike. A text that only one of them has, such as a name, does not tell them apart.
fn groups(tables: &Tables, members: &[MemberId]) -> Vec<Vec<MemberId>> {
    let rows: Vec<(MemberId, Value)> =
        members.iter().map(|id| (*id, read(tables, table::MEMBER_INFO, &id.to_string()).unwrap_or_default())).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    rows.iter().for_each(|(_, row)| {
        walk("", row, &mut |path, value| *seen.entry(format!("{path}={value}")).or_default() += 1);
    });
    let mut groups: BTreeMap<BTreeSet<String>, Vec<MemberId>> = BTreeMap::new();
    for (id, row) in &rows {
        let mut likeness = BTreeSet::new();
        let mut note = |path: &str, value: &Value| {
            let named = format!("{path}={value}");
            let is_own = (value.is_string() || value.is_number()) && seen.get(&named) == Some(&1);
            likeness.insert(if is_own { path.to_owned() } else { named });
        };
        walk("", row, &mut note);
        if tables.has(table::MEMBER_ENCRYPTION_KEYS, id.to_string().as_bytes()) {
            likeness.insert("encryption key".into());
        }
        groups.entry(likeness).or_default().push(*id);
    }
    groups.into_values().collect()
}

/// Every value that holds no other, with its path.
fn walk(path: &str, value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| walk(&format!("{path}/{key}"), value, visit)),
        Value::Array(list) => list.iter().for_each(|value| walk(&format!("{path}/"), value, visit)),
        other => visit(path, other),
    }
}
