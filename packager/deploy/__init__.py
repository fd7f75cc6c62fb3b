"""From a cloud assembly to a stage that answers, and back.

    assembly ── staging ── changes ── plan ── (confirmation) ── execute ── release ── live check ── outputs

`synthesis` has build and assembly made if they are stale, in a process of their own; `deployment` is all that follows,
in order. `assembly` reads what synth wrote: stacks in the order of deployment, each with its template and the files it
needs. `staging` finds the bucket for them, or makes it, and `uploads` sends what is not there yet. `changes` has
CloudFormation say what would change, `plan` is all of it as one value: it can be shown, compared and refused before
anything happens. `states` knows what the status of a stack allows, and `recover` makes it so: it waits, deletes what
never was live, goes on with a rollback. `execute` carries the plan out stack by stack
while `events` follows; a failure is told by its first cause. Then the release is written down (`releases`), the
routes that the project names are asked (`live_check`), and the outputs are the answer.

What a stack reads of another one (`Fn::GetStackOutput`) is there only when that one is. So a first deployment is
planned from the templates, which say all there is to say when everything is added, and change sets are made stack by
stack, in the order api, edge, ops. Later ones have the change sets of all stacks before anything happens; only where
the outputs of a stack change by the deployment itself, those that read them are asked about again. Stacks that the app
has no need of any more go last. CloudFormation goes on when this tool is killed: the next run finds a stack in motion,
follows it to its end and does the rest.

`rollback` goes back to a release by moving aliases and the edge version, `canary` moves them in steps and watches the
alarms, `fast` changes code alone, `destroy` takes a stage away; `logs` and `env` look into it and fill it.

Nothing is remembered on this machine. Stacks, versions, objects in the staging bucket are the state, and whoever
deploys takes the stage with `hold` first. `aws` is the way to all of it: clients, who is calling, and every failure of
AWS or the network as an error for people.
"""
