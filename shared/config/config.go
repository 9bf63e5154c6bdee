// Package config reads settings: flags and ORDERS_* variables of a program, and the YAML files that they name.
//
// A YAML file is read strictly, because a misspelt key that is silently ignored costs money: LoadYAML refuses unknown
// keys, keys given twice and values of the wrong kind, and the reader of the file adds what only it can know. All that
// is wrong is said at once, one line each, as "file:line: what".
package config
