// SPDX-License-Identifier: BSD-3-Clause
// V8 for bench/interp; bench/interp_weir.c says what the command does and prints.
//
//	node v8-core.mjs run FILE ARGUMENT WARM CALLS
//	node v8-core.mjs version
import fs from "node:fs";

const WARM_MS = 500; // at least, so that the optimising compiler is done

// i32:N, i64:N or - for none.
function parseArguments(text) {
	const [type, n] = text.split(":");

	if (n === undefined)
		return [];
	return [type === "i64" ? BigInt(n) : Number(n)];
}

// An i32 is whole, the score of CoreMark is not.
function print(result) {
	if (typeof result === "bigint")
		return BigInt.asUintN(64, result);
	return Number.isInteger(result) ? result >>> 0 : result;
}

async function run(file, argument, warm, calls) {
	const module = await WebAssembly.compile(fs.readFileSync(file));
	const start = performance.now();
	const instance = await WebAssembly.instantiate(
		module, { env: { clock_ms: () => (performance.now() - start) | 0 } });
	const args = parseArguments(argument);
	const begin = performance.now();
	const ns = [];
	let result;

	for (let i = 0; i < warm || (warm > 0 && performance.now() - begin < WARM_MS); i++) {
		instance.exports.run(...args);
		await new Promise(setImmediate); // lets what was compiled meanwhile take its place
	}
	for (let i = 0; i < calls; i++) {
		const called = process.hrtime.bigint();

		result = instance.exports.run(...args);
		ns.push(process.hrtime.bigint() - called);
	}
	console.log(`result ${print(result)}`);
	console.log(`call ${ns.join(" ")}`);
}

const [command, ...rest] = process.argv.slice(2);

if (command === "version") {
	console.log(`${process.versions.v8} (Node.js ${process.versions.node})`);
} else if (command === "run" && rest.length === 4) {
	await run(rest[0], rest[1], Number(rest[2]), Number(rest[3]));
} else {
	console.error("v8-core: run FILE ARGUMENT WARM CALLS | version");
	process.exit(2);
}
