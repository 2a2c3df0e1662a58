import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class MiqConan(ConanFile):
    name = "miq"
    version = "0.1.0"
    license = "Apache-2.0"
    description = "Mutual information, pruning and quantisation of the linear layers of neural networks"
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"precompiled": [True, False], "system_eigen": [True, False]}
    default_options = {"precompiled": False, "system_eigen": False}

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "kernels/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def package_id(self):
        if not self.info.options.precompiled:
            self.info.clear()  # headers alone

    def requirements(self):
        if not self.options.system_eigen:
            self.requires("eigen/3.4.0", transitive_headers=True)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for name in ("BUILD_TESTS", "BUILD_BENCHMARKS", "BUILD_EXAMPLES", "CUDA"):
            toolchain.cache_variables[f"MIQ_{name}"] = "OFF"
        toolchain.cache_variables["MIQ_PRECOMPILED"] = "ON" if self.options.precompiled else "OFF"
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # miq's own package files are installed; Conan adds the folder to the search path.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "miq")]
