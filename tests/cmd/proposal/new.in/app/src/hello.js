import { text } from "./lib/text.js";
export function hello(request) { return { body: text }; }
