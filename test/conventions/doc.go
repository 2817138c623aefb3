// Package conventions holds no code of its own. Its tests look over the whole
// source tree for what neither the compiler nor one package's tests can see:
// that every package says what it is for, that the linter's import rules really
// refuse what they forbid, that metric names are well formed, that README,
// Makefile, NOTICE and the decisions are complete, and that no file names a
// place that exists on one machine only.
package conventions
