/** What replaces a value that may be a secret. */
const HIDDEN = '…';
const SECRET_NAME = /^key$|pass|pwd|secret|token|credential|auth|bearer|dsn|private|signature|api.?key|access.?key/i;
/** `scheme://user:password@host`. */
const USER_INFO = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
/** `?token=x`, `;Password=x`. */
const PARAMETER = /((?:^|[?&;,\s])[\w.-]*(?:pass|pwd|secret|token|key|signature|credential)[\w.-]*=)[^&;,\s]+/gi;
const AUTHORIZATION = /\b(Bearer|Basic)\s+\S+/g;
/** `--password=x`; of `--password x` the next word is the value. */
const FLAG = /^(--?[\w.-]+)=/;

/** An option of a user's own, which may be a secret by its name. */
export function optionWithoutSecrets(name: string, value: unknown): unknown {
  if (SECRET_NAME.test(name)) return HIDDEN;
  if (Array.isArray(value)) return wordsWithoutSecrets(value).map((each) => optionWithoutSecrets('', each));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, optionWithoutSecrets(key, each)]));
  return textWithoutSecrets(value);
}

/** The value of a key of ours: its name tells nothing, but there may be a secret in its text. */
export function valueWithoutSecrets(value: unknown): unknown {
  return Array.isArray(value) ? wordsWithoutSecrets(value).map(textWithoutSecrets) : textWithoutSecrets(value);
}

function textWithoutSecrets(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value
    .replace(USER_INFO, `$1${HIDDEN}@`)
    .replace(PARAMETER, `$1${HIDDEN}`)
    .replace(AUTHORIZATION, `$1 ${HIDDEN}`);
}

/** Of a command line. */
function wordsWithoutSecrets(words: readonly unknown[]): unknown[] {
  return words.map((word, index) => {
    if (typeof word !== 'string') return word;
    const flag = FLAG.exec(word)?.[1];
    if (flag !== undefined && SECRET_NAME.test(flag)) return `${flag}=${HIDDEN}`;
    const before = words[index - 1];
    const follows = typeof before === 'string' && /^--?[\w.-]+$/.test(before) && SECRET_NAME.test(before);
    return follows && !word.startsWith('-') ? HIDDEN : word;
  });
}
