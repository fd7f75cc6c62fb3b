"""What is previewed: the cloud assembly of a stage, made anew if it is not that of the present build."""

from collections.abc import Callable
from pathlib import Path

from packager.errors import DiagnosticsError, PackagerError, ProjectError, ToolError, UsageError
from packager.preview.deployed_topology import from_assembly
from packager.preview.topology import Topology

_WAY_OUT = "`packager preview --from manifest` serves the build without its stacks."


def topology(
    folder: Path, stage: str | None, assembly: Path | None, *, report: Callable[[str], None]
) -> Topology:
    """The topology of a given assembly, or of the stage of the project `folder`, whose build is there.

    A stage of None is that of this machine, which needs no settings. Synthesizes if that was not done yet. Raises
    what `packager.synth.synth` raises; if the stacks cannot be made, with the way to do without them.
    """
    if assembly is not None:
        return from_assembly(assembly)
    from packager import project, stages, synth  # noqa: PLC0415 - a given assembly needs none of them

    loaded = project.load(folder)
    chosen = stages.local(loaded) if stage is None else stages.read(loaded, stage)
    if not synth.is_current(loaded, chosen):
        try:
            synth.synth(folder, chosen, report=report)
        except (DiagnosticsError, UsageError):
            raise
        except ImportError as error:
            raise ToolError(
                f"the stacks cannot be made: {error}",
                hint=f"Install packager again, with aws-cdk-lib. {_WAY_OUT}",
            ) from error
        except (ProjectError, ToolError) as error:
            raise _with_way_out(error) from error
    return from_assembly(synth.default_place(loaded, chosen))


def _with_way_out[E: PackagerError](error: E) -> E:
    error.hint = f"{error.hint} {_WAY_OUT}"
    return error
