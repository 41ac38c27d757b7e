// node:cluster and nothing else: node bare-cluster.mjs SCRIPT WORKERS rr|none. Workers end with their primary.
import cluster from 'node:cluster';

const [script, workers, policy] = process.argv.slice(2);
cluster.schedulingPolicy = policy === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: script, args: [] });
for (let i = 0; i < Number(workers); i++) cluster.fork();
