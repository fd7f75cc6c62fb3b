// Lambda starts index.js of a Web Function, which may be loaded as CommonJS or as a module: this is both.
import("./web_function.mjs");
