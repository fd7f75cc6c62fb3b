// Takes from this process's JavaScript what user code must not have, should it ever come by JavaScript.

/** What reaches other processes, or past the permission model. */
const REACHING_OUT = ["kill", "_kill", "_debugProcess", "_debugEnd", "ppid", "binding", "_linkedBinding"].concat([
  "dlopen",
  "execve",
  "getBuiltinModule",
  "mainModule",
  "report",
]);

/** To be called once, before user code runs and after everything of Node's was imported. */
export function seal() {
  for (const name of REACHING_OUT) Reflect.deleteProperty(process, name);
  for (const name of Object.keys(process.env)) delete process.env[name];
  forbidCodeFromStrings();
}

/**
 * What V8's `--disallow-code-generation-from-strings` does. With any flag of V8, Node compiles its own modules
 * anew at every start, which takes longer than all else that happens here.
 */
function forbidCodeFromStrings() {
  const refuse = function Function() {
    throw new EvalError("Code generation from strings disallowed for this context");
  };
  // Whatever is a function still is an instance of it.
  refuse.prototype = Function.prototype;
  const kinds = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const kind of kinds) Object.defineProperty(Object.getPrototypeOf(kind), "constructor", { value: refuse });
  for (const name of ["Function", "eval"]) Object.defineProperty(globalThis, name, { value: refuse });
}
