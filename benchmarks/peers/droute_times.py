"""Time droute's Muskingum-Cunge: forward, or forward and backward from the outlet's discharge; run by ../routing.py.

Written from the bindings of droute 0.6.1; its package compiles with headers that it fetches from GitHub.
"""

import json
import sys

import droute
import numpy as np
from timing import measure, peak, resident


def network(request):
    """The request's reaches; reach i takes its water from junction i."""
    river, above = droute.Network(), {}
    for here, below in enumerate(request["downstream"]):
        above.setdefault(below, []).append(here)
        reach = droute.Reach()
        reach.id, reach.length, reach.slope = here, request["length"][here], request["slope"][here]
        reach.manning_n = request["roughness"][here]
        reach.upstream_junction_id, reach.downstream_junction_id = here, below
        river.add_reach(reach)
    for here in range(len(request["downstream"])):
        junction = droute.Junction()
        junction.id, junction.upstream_reach_ids, junction.downstream_reach_ids = here, above.get(here, []), [here]
        river.add_junction(junction)
    river.build_topology()
    return river


def main():
    request = json.load(sys.stdin)
    river, config = network(request), droute.RouterConfig()
    config.dt, config.enable_gradients = request["time_step"], request["backward"]
    order, lateral = list(river.topological_order()), np.array(request["lateral_inflow"])
    outlet = request["downstream"].index(-1)

    def run():
        router = droute.MuskingumCungeRouter(river, config)
        router.enable_gradients(request["backward"])
        if request["backward"]:
            router.start_recording()
        for today in lateral:
            router.network.set_lateral_inflows(today[order])
            router.route_timestep()
            if request["backward"]:
                router.record_output(outlet)
        if request["backward"]:
            router.stop_recording()
            router.compute_gradients_timeseries(outlet, [1.0] * len(lateral))

    before = resident()
    times, _ = measure(run, request["repeats"])
    print(json.dumps({"times": times.tolist(), "memory": peak() - before}))


if __name__ == "__main__":
    main()
