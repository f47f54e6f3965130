package app_test

func closeShared() {}
