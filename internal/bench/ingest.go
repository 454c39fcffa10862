package main

import "context"

func measureIngest(ctx context.Context, b *bench) error { return nil }
