/** Paths about the master itself. */
import type { FastifyInstance } from 'fastify';
import { objectBody } from '../../http/fields.js';
import type { AppRow, Supervisor } from '../../master/supervisor.js';

export function masterRoutes(app: FastifyInstance, supervisor: Supervisor, onError: (error: unknown) => void): void {
  // 200 also while degraded: who asks here wants to know that the master lives.
  app.route({
    method: ['GET', 'HEAD'],
    url: '/api/health',
    handler: async () => {
      const { ok, apps } = supervisor.health();
      return {
        status: ok ? 'ok' : 'degraded',
        version: supervisor.version,
        pid: process.pid,
        started_at: supervisor.startedAt,
        uptime_seconds: uptimeSeconds(),
        apps,
      };
    },
  });

  app.get('/api/process/status', async () => {
    const rows = supervisor.list();
    const cpu = process.cpuUsage();
    return {
      master: {
        pid: process.pid,
        uptime_seconds: uptimeSeconds(),
        memory_bytes: process.memoryUsage.rss(),
        cpu_seconds: (cpu.user + cpu.system) / 1e6,
      },
      apps: rows.map(({ name, version, state, workers }) => ({ name, version, state, workers })),
      recycles_total: sum(rows, 'recycles'),
      restarts_total: sum(rows, 'restarts'),
    };
  });

  app.post('/api/shutdown', async (request, reply) => {
    objectBody(request.body, []);
    // The answer first: a shutdown closes the connection that it would travel on.
    reply.raw.once('close', () => supervisor.shutdown('asked for over the control API').catch(onError));
    reply.header('connection', 'close');
    return { ok: true };
  });
}

function uptimeSeconds(): number {
  return Math.round(process.uptime() * 1000) / 1000;
}

function sum(rows: readonly AppRow[], key: 'recycles' | 'restarts'): number {
  return rows.reduce((total, row) => total + row[key], 0);
}
