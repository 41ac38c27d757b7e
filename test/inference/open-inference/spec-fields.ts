/**
 * Fields of the objects in the published texts: the OpenAPI description of the protocol (open_inference_rest.yaml) and the tables of its
 * extensions. A name with `?` may be left out.
 */
const TYPES = ['string', 'number', 'boolean', 'array', 'object'] as const;
type Type = (typeof TYPES)[number];

export const FIELDS = {
  metadata_server_response: { name: 'string', version: 'string', extensions: 'array' },
  metadata_model_response: {
    name: 'string',
    'versions?': 'array',
    platform: 'string',
    'inputs?': 'array',
    'outputs?': 'array',
  },
  metadata_tensor: { name: 'string', datatype: 'string', shape: 'array' },
  inference_response: {
    model_name: 'string',
    'model_version?': 'string',
    'id?': 'string',
    'parameters?': 'object',
    outputs: 'array',
  },
  response_output: { name: 'string', shape: 'array', datatype: 'string', 'parameters?': 'object', data: 'array' },
  // With the binary data extension.
  response_output_binary: { name: 'string', shape: 'array', datatype: 'string', parameters: 'object' },
  error_response: { error: 'string' },
  ready_model_response: { name: 'string', ready: 'boolean' },
  repository_index_entry: { name: 'string', 'version?': 'string', state: 'string', 'reason?': 'string' },
  stats_model_response: { model_stats: 'array' },
  model_stat: {
    name: 'string',
    'version?': 'string',
    'last_inference?': 'number',
    inference_count: 'number',
    execution_count: 'number',
    inference_stats: 'object',
    batch_stats: 'array',
  },
  inference_stats: {
    success: 'object',
    fail: 'object',
    queue: 'object',
    'compute_input?': 'object',
    compute_infer: 'object',
    'compute_output?': 'object',
    'cache_hit?': 'object',
  },
  // `ns` may be left out by us alone: where the time is not known.
  duration_stat: { count: 'number', 'ns?': 'number' },
} as const satisfies Record<string, Record<string, Type>>;

/** What is wrong with an object that should be of this kind: fields that are missing, unknown or of another type. */
export function misfits(kind: keyof typeof FIELDS, value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${kind} is no object`];
  const fields = new Map(
    Object.entries(FIELDS[kind] as Record<string, Type>).map(([key, type]) => [key.replace('?', ''), type]),
  );
  const wrong = Object.entries(value)
    .filter(([key, each]) => fields.get(key) !== typeOf(each))
    .map(([key, each]) => `${kind}.${key} is ${typeOf(each)} and should be ${fields.get(key) ?? 'absent'}`);
  const missing = Object.keys(FIELDS[kind]).filter((key) => !key.endsWith('?') && !(key in value));
  return [...wrong, ...missing.map((key) => `${kind}.${key} is missing`)];
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value;
}
