import type { BalancerName } from '../../config/types.js';
import type { Balancer, Situation } from './balancer.js';
import { ConsistentHash } from './consistent-hash.js';
import { LeastConnections } from './least-connections.js';
import { LeastResponseTime } from './least-response-time.js';
import { RoundRobin } from './round-robin.js';
import { WeightedRoundRobin } from './weighted-round-robin.js';

/** The balancers by the names of `routing.strategy`. */
export const strategies: Record<BalancerName, (situation: Situation) => Balancer> = {
  least_connections: () => new LeastConnections(),
  round_robin: () => new RoundRobin(),
  least_response_time: (situation) => new LeastResponseTime(situation),
  weighted_round_robin: (situation) => new WeightedRoundRobin(situation),
  consistent_hash: () => new ConsistentHash(),
};
