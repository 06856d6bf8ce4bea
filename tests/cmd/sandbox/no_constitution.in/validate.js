export function validate(i) {}
