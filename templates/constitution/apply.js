// What happens when a proposal was accepted: its actions, in their order. If one throws, none of them has happened.

export function apply(proposal, proposalId) {
  JSON.parse(proposal).actions.forEach((accepted, index) => {
    const definition = actions.get(accepted.name);
    if (definition === undefined) {
      throw new Error(`action ${index + 1}: there is no action ${accepted.name}`);
    }
    try {
      definition.run(accepted.args, proposalId);
    } catch (error) {
      error.message = `action ${index + 1}, ${accepted.name}: ${error.message}`;
      throw error;
    }
  });
}
