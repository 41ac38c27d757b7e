/** The whole file: everything but the apps, whose keys depend on their kind (app-schema.ts). */
import { z } from 'zod';
import { APP_SCHEMAS } from './app-schema.js';
import * as field from './fields.js';
import { logOver, logOverrides } from './log-schema.js';
import { models, unloading } from './model-schema.js';
import { cpu, limits, pressure, sensing } from './resource-schema.js';
import type { ControlConfig, InferenceConfig } from './types.js';

export type * from './types.js';

const CONTROL_PORT = 9700;
const INFERENCE_PORT = 8000;
const GIB = 1024 ** 3;

function listener(defaults: { port: number; auth: 'token' | 'none' }) {
  return {
    host: field.listenHost().describe('The address to listen on').prefault('127.0.0.1'),
    port: field.count(0, 65_535).optional().describe('The port; 0 takes any free one').meta({ default: defaults.port }),
    auth: z.enum(['token', 'none']).describe('Whether requests need the token').prefault(defaults.auth),
    allowed_hosts: field.allowedHosts().describe('Further host names that requests may come by').prefault([]),
  };
}

const control = z
  .strictObject(listener({ port: CONTROL_PORT, auth: 'token' }))
  .describe('The control plane, which the command and the dashboard talk to')
  .prefault({})
  .transform(
    (given): ControlConfig => ({
      host: given.host,
      port: given.port ?? CONTROL_PORT,
      explicitPort: given.port !== undefined,
      auth: given.auth,
      allowedHosts: given.allowed_hosts,
    }),
  );

const inference = z
  .strictObject({
    ...listener({ port: INFERENCE_PORT, auth: 'none' }),
    max_body: field.size({ maxBytes: GIB }).describe('Larger request bodies are refused with 413').prefault('8MiB'),
    default_model: z.string().nullable().describe('The model that answers requests that name none').prefault(null),
  })
  .describe('Where predictions are asked for; opened when there is a model app')
  .prefault({})
  .transform(
    (given): InferenceConfig => ({
      host: given.host,
      port: given.port ?? INFERENCE_PORT,
      explicitPort: given.port !== undefined,
      auth: given.auth,
      maxBodyBytes: given.max_body,
      defaultModel: given.default_model,
      allowedHosts: given.allowed_hosts,
    }),
  );

/** The keys of the file. `apps` is given from outside: read app by app, but published with the keys of all kinds. */
function fileWith<T extends z.ZodType>(app: T) {
  return z.strictObject({
    version: z.literal(1).describe('Version of this format').prefault(1),
    project: field.nameText().optional().describe("A name that keeps two files apart. Default: the folder's name"),
    log: logOverrides
      .describe('Logging')
      .prefault({})
      .transform((given) => logOver(given)),
    control,
    inference,
    limits,
    sensing,
    pressure,
    cpu,
    models,
    unloading,
    plugins: z
      .array(field.filePath())
      .describe('Modules of your own that the master loads, to watch and to be told of decisions')
      .prefault([]),
    apps: z.record(field.nameText(), app).describe('What is kept running, by name').prefault({}),
  });
}

/** What a file says of the box that says nothing of it. */
export const STANDARD_BOX = {
  limits: limits.parse(undefined),
  sensing: sensing.parse(undefined),
  pressure: pressure.parse(undefined),
  cpu: cpu.parse(undefined),
  models: models.parse(undefined),
  unloading: unloading.parse(undefined),
};

/** Apps stay as they are written: choosing the schema by `kind` first keeps errors about that kind alone. */
export const fileSchema = fileWith(z.unknown());
export const publishedSchema = fileWith(z.union([APP_SCHEMAS.model, APP_SCHEMAS.http, APP_SCHEMAS.command]));
