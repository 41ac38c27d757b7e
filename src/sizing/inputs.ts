/** What is asked while sizes are measured. */
import { readFileSync } from 'node:fs';
import { messageOf, SupError } from '../errors.js';

export interface HttpRequest {
  method: string;
  path: string;
  body: string | null;
}

/**
 * Inputs for a model: one JSON value, an array of them (each is an input), or one a line (JSONL).
 * @throws SupError SUP_USAGE
 */
export function readModelInputs(file: string): unknown[] {
  const text = readInput(file);
  const inputs = /\.(jsonl|ndjson)$/i.test(file) ? readLines(text, file) : readValue(text, file);
  if (inputs.length === 0) throw usage(`${file} holds no inputs`);
  return inputs;
}

/**
 * Requests, one a line: `GET /path`, `/path` (the same) or `POST /path {"a": 1}`; a body is JSON. Lines that begin with # are comments.
 * @throws SupError SUP_USAGE
 */
export function readHttpRequests(file: string): HttpRequest[] {
  const lines = readInput(file).split('\n');
  const requests = lines.flatMap((line, index) => {
    const trimmed = line.trim();
    return trimmed === '' || trimmed.startsWith('#') ? [] : [readRequest(trimmed, `${file}:${index + 1}`)];
  });
  if (requests.length === 0) throw usage(`${file} holds no requests: write one a line, such as GET /path`);
  return requests;
}

const REQUEST = /^(?:([A-Z]+)\s+)?(\/[!-~]*)(?:\s+(\S.*))?$/;

function readRequest(line: string, where: string): HttpRequest {
  const [, method = 'GET', path, body] = REQUEST.exec(line) ?? [];
  if (path === undefined) throw usage(`${where} is no request: write GET /path or POST /path {"a": 1}`);
  if (body !== undefined) parseJson(body, `the body in ${where}`);
  return { method, path, body: body ?? null };
}

function readValue(text: string, file: string): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // Several values, one a line, make no JSON together.
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    if (lines.length > 1 && isJson(lines[0] as string)) return readLines(text, file);
    throw usage(`${file} is not JSON: ${messageOf(error)}`);
  }
  return Array.isArray(value) ? value : [value];
}

function readLines(text: string, file: string): unknown[] {
  return text
    .split('\n')
    .flatMap((line, index) => (line.trim() === '' ? [] : [parseJson(line, `line ${index + 1} of ${file}`)]));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // The question was whether it is.
    return false;
  }
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usage(`${what} is not JSON: ${messageOf(error)}`);
  }
}

function readInput(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usage(`the input cannot be read: ${messageOf(error)}`);
  }
}

function usage(message: string): SupError {
  return new SupError('SUP_USAGE', message);
}
