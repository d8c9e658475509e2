package main

import (
	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	_ "workbench/arch/transformer"
)
