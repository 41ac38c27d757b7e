import type { AppRow, ModelStatus } from '../master/supervisor.js';
import type { Context } from './context.js';

/** What is known of the models among these apps; nothing is asked where there are none. */
export async function modelsOf(context: Context, apps: readonly AppRow[]): Promise<ModelStatus[]> {
  if (!apps.some(({ kind }) => kind === 'model')) return [];
  const { models } = await context.client.get<{ models: ModelStatus[] }>('/autoscaler/stats');
  return models;
}
