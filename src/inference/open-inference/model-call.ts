/**
 * What a model gets of a request's tensors, and the tensors that its answers come to. With `rows` each row is an input of its own; else
 * all tensors together are one.
 */
import { badRequest } from '../../http/fields.js';
import type { ModelMetadata } from '../../master/model-status.js';
import type { Tensor } from './tensor.js';

/** @throws SupError SUP_BAD_REQUEST where tensors have no rows, or not the same number */
export function inputsOf(tensors: readonly Tensor[], model: ModelMetadata): unknown[] {
  return model.rows ? rowsOf(tensors, model) : [whole(tensors)];
}

function whole(tensors: readonly Tensor[]): Record<string, Omit<Tensor, 'name'>> {
  return Object.fromEntries(tensors.map(({ name, datatype, shape, data }) => [name, { datatype, shape, data }]));
}

function rowsOf(tensors: readonly Tensor[], model: ModelMetadata): unknown[] {
  const [first] = tensors as [Tensor];
  const count = first.shape[0] ?? 0;
  for (const { name, shape, data } of tensors) {
    if (shape.length === 0 || data.length === 0)
      throw badRequest(`input '${name}' has no rows, and ${model.name} takes one input for each row`);
    if (shape[0] !== count)
      throw badRequest(`input '${name}' has ${shape[0]} rows, and '${first.name}' has ${count}: they must be as many`);
  }
  if (model.inputs.length === 1) return rows(first, count);
  const columns = tensors.map((tensor) => ({ name: tensor.name, rows: rows(tensor, count) }));
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(columns.map((column) => [column.name, column.rows[row]])),
  );
}

/** An element where a row is one, else its elements as they stand in the tensor. */
function rows({ shape, datatype, data }: Tensor, count: number): unknown[] {
  if (shape.length === 1) {
    if (datatype === 'BOOL') return Array.from(data as Uint8Array, (element) => element === 1);
    return Array.isArray(data) ? data : Array.from(data as ArrayLike<unknown>);
  }
  const size = data.length / count;
  return Array.from({ length: count }, (_, row) => data.slice(row * size, (row + 1) * size));
}
