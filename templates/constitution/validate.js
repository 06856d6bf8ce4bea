// Whether a proposal may be created. It never throws: whatever the text is, the answer is {valid, description}, and
// the description names every action and argument that is wrong.

export function validate(input) {
  const mistakes = mistakesIn(input);
  return { valid: mistakes.length === 0, description: mistakes.join("; ") };
}

function mistakesIn(input) {
  let proposal;
  try {
    proposal = JSON.parse(input);
  } catch (error) {
    return [`a proposal must be JSON: ${messageOf(error)}`];
  }
  if (typeof proposal !== "object" || proposal === null || !Array.isArray(proposal.actions)) {
    return ["a proposal must be an object with an array named actions"];
  }
  if (proposal.actions.length === 0) {
    return ["a proposal must have at least one action"];
  }
  const mistakes = [];
  proposal.actions.forEach((proposed, index) => {
    try {
      mistakeIn(proposed);
    } catch (error) {
      mistakes.push(`action ${index + 1}, ${nameOf(proposed)}: ${messageOf(error)}`);
    }
  });
  return mistakes;
}

function mistakeIn(proposed) {
  object(proposed, "an action");
  nonEmptyString(proposed.name, "name");
  const definition = actions.get(proposed.name);
  if (definition === undefined) {
    throw new Error("there is no such action");
  }
  definition.validate(proposed.args);
}

function nameOf(proposed) {
  const name = proposed?.name;
  return typeof name === "string" ? quoted(name) : "without a name";
}

// Out of memory, QuickJS may throw null.
function messageOf(error) {
  return error?.message ?? String(error);
}
