/** A bench was called with something that it can't use; the message says with what. */
export class UsageError extends Error {}
