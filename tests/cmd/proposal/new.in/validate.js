export function validate(input) {}
